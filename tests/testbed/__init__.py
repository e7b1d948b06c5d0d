"""The testbed: a real control plane and real kernels on one machine, without KVM, engine or registry."""
