test_that("the page says what the project is, whatever characters that has", {
  page <- shiny::shinyAppDir("../..")$httpHandler(list(REQUEST_METHOD = "GET", PATH_INFO = "/"))$content
  for (text in project) {
    expect_match(enc2utf8(page), htmltools::htmlEscape(text), fixed = TRUE)
  }
})

test_that("a session draws what is chosen", {
  shiny::testServer("../..", {
    session$setInputs(measure = "bill_len", species = "Gentoo")
    expect_setequal(as.character(shown()$species), "Gentoo")
    expect_match(output$plot$src, "^data:image/png;base64,")
    expect_match(output$plot$alt, "bill length (mm) of 123 penguins", fixed = TRUE)

    first <- output$plot$src
    session$setInputs(measure = "flipper_len")
    expect_false(identical(output$plot$src, first))

    session$setInputs(species = NULL)
    expect_error(output$plot, "Choose a species.")
  })
})
