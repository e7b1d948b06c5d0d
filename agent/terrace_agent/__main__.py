"""`python3 -m terrace_agent`: the same as `terrace-agent`."""

from terrace_agent.main import main

main()
