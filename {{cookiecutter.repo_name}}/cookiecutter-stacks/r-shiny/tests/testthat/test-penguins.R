test_that("penguins of the species are kept, those not measured left out", {
  found <- measured(penguins, c("Adelie", "Gentoo"), "bill_len")
  expect_setequal(as.character(found$species), c("Adelie", "Gentoo"))
  expect_equal(nrow(found), sum(penguins$species != "Chinstrap") - 2)
  expect_false(anyNA(found[c("bill_len", "body_mass")]))
})

test_that("every measure can be plotted, one species as well as all", {
  for (measure in measures) {
    for (species in list("Gentoo", levels(penguins$species))) {
      plot <- mass_plot(measured(penguins, species, measure), measure)
      expect_equal(nrow(ggplot2::layer_data(plot, 1)), nrow(measured(penguins, species, measure)))
      expect_equal(plot$labels$x, names(measures)[measures == measure])
    }
  }
})

test_that("a species has the same colour, whichever are shown", {
  colour <- function(shown, species) {
    found <- measured(penguins, shown, "bill_len")
    unique(ggplot2::layer_data(mass_plot(found, "bill_len"), 1)$colour[found$species == species])
  }
  expect_length(colour("Gentoo", "Gentoo"), 1)
  expect_equal(colour(levels(penguins$species), "Gentoo"), colour("Gentoo", "Gentoo"))
})

test_that("the plot is said in words", {
  expect_equal(mass_words(penguins[1:2, ], "bill_len"), "Body mass against bill length (mm) of 2 penguins")
})
