"""How a push goes on a server: a plan made before anything is sent, and what probes and refusals teach."""
