# What the page says about the project.
project <- list(
  title = "My DSRI project",
  description = "A containerised application on DSRI.",
  author = "Institute of Data Science"
)
