"""Says what is wrong with an application on DSRI, why, and how to fix it. It changes nothing."""
