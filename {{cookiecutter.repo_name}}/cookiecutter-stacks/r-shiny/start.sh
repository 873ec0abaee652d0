#!/bin/sh
# Process 1 of the container: SIGTERM, which R would ignore there, becomes the interrupt on which Shiny ends in order
# (onSessionEnded and onStop are called); an R that is too busy to take it is ended after 3 seconds.
env --default-signal=INT Rscript start.R &
r=$!
trap 'kill -INT $r; (sleep 3; kill $r) &' TERM
wait $r || wait $r
