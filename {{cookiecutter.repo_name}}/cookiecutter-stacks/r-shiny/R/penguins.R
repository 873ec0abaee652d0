# The data and the plot, without Shiny: plain functions, which tests/testthat calls.

# The columns that can be chosen, by the names that people read.
measures <- c(
  "Bill length (mm)" = "bill_len",
  "Bill depth (mm)" = "bill_dep",
  "Flipper length (mm)" = "flipper_len"
)

# The penguins of these species of which the measure and the body mass are known.
measured <- function(penguins, species, measure) {
  chosen <- penguins[penguins$species %in% species, ]
  chosen[stats::complete.cases(chosen[c(measure, "body_mass")]), ]
}

# Body mass against the measure, a line a species.
mass_plot <- function(penguins, measure) {
  ggplot2::ggplot(penguins, ggplot2::aes(.data[[measure]], .data$body_mass, colour = .data$species)) +
    ggplot2::geom_point(alpha = 0.6) +
    ggplot2::geom_smooth(method = "lm", formula = y ~ x, se = FALSE) +
    # Each species keeps its colour, whichever are shown.
    ggplot2::scale_colour_viridis_d(end = 0.85, drop = FALSE) +
    ggplot2::labs(x = names(measures)[measures == measure], y = "Body mass (g)", colour = NULL) +
    ggplot2::theme_minimal(base_size = 14) +
    ggplot2::theme(legend.position = "top")
}

# What the plot shows, in words, for who cannot see it.
mass_words <- function(penguins, measure) {
  sprintf(
    "Body mass against %s of %d penguins",
    tolower(names(measures)[measures == measure]), nrow(penguins)
  )
}
