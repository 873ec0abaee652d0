# What is in R/, as the application has it.
shiny::loadSupport("../..", renv = environment(), globalrenv = NULL)
