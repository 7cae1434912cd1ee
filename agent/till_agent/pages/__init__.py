"""The pages that the agent serves to a browser on this machine: `/panel/` for cashiers, `/status/` for store IT.

Their files lie in `assets` as they are served: plain ES modules and CSS, no build step (docs/decisions, 0032).
"""
