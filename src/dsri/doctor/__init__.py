"""Says what is wrong with an application on DSRI, why, and the command that mends it. It changes nothing."""
