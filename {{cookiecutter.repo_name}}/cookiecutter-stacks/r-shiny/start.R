# How the image starts the application in app.R.
app <- shiny::shinyAppDir(".")
start <- app$onStart
app$onStart <- function() {
  start()
  # A pod has the scripts and styles of a page once it has made one; with several, a page may come from another pod.
  try(app$httpHandler(list(REQUEST_METHOD = "GET", PATH_INFO = "/", QUERY_STRING = "")))
}
tryCatch(
  shiny::runApp(app, host = "0.0.0.0", port = as.integer(Sys.getenv("PORT"))),
  interrupt = function(condition) message("Stopped.")
)
