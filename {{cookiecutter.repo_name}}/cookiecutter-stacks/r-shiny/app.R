library(shiny)

ui <- bslib::page_sidebar(
  lang = "en",
  title = project$title,
  sidebar = bslib::sidebar(
    radioButtons("measure", "Measure", measures),
    checkboxGroupInput("species", "Species", levels(penguins$species), selected = levels(penguins$species))
  ),
  p(id = "description", project$description),
  plotOutput("plot"),
  tags$footer(tags$small(id = "author", project$author))
)

server <- function(input, output, session) {
  # A pod that ends, as with every new image, ends its sessions: the browser opens a new one and sends its inputs.
  session$allowReconnect("force")

  shown <- reactive({
    validate(need(input$species, "Choose a species."))
    measured(penguins, input$species, input$measure)
  })

  output$plot <- renderPlot(
    mass_plot(shown(), input$measure),
    res = 96,
    alt = reactive(mass_words(shown(), input$measure))
  )
}

shinyApp(ui, server)
