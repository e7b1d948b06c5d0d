"""`python -m terrace_kubectl` is the command `kubectl-terrace`."""

from terrace_kubectl.main import main

main()
