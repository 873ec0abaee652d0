# What the page says about the project.
project <- list(
  title = "{{ cookiecutter.__escaped.project_name }}",
  description = "{{ cookiecutter.__escaped.description }}",
  author = "{{ cookiecutter.__escaped.full_name }}"
)
