"""The testbed: a real control plane and real kernels on one machine, without KVM, engine or registry.

A guest without Kubernetes, for tests of the kernel (about 10 s to boot):

    def test_something(guest):                       # fixture: a factory
        with guest(kernel="7.3", topology=TWO_TIERS) as machine:
            machine.copy_in(Path("agent"), "/opt/agent")
            print(machine.run("uname -r; numactl -H").stdout)

A cluster and a node of it (10 s, and about 60 s more until the node is Ready):

    def test_something_else(cluster, node):          # cluster: session-scoped; node: a factory
        with node("tiered", images=project_images()) as machine:
            cluster.kubectl("apply", "-f", "-", stdin=manifest)
            cluster.helm("install", "terrace", "deploy/helm/terrace", "--wait")

By hand: `python -m testbed cluster`, `node [--kernel 6.12] [--name NAME]`, `down`, `kernels`.

What is expensive is made once and kept in a cache outside the tree ($TERRACE_CACHE, else
$XDG_CACHE_HOME/terrace, else ~/.cache/terrace), each thing under a key of its inputs:

    build_controlplane ─► cluster ─┐
    kernels ─► machine ─► guest ───┴─► node
    build_node ─┘            ▲
    build_node_disk ─────────┘ ◄─ build_workload, images

The package's rule: servers listen on loopback only, every wait has a limit, and every process ends with the
one that started it unless it was asked to outlive it.
"""
