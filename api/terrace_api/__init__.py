"""The two objects of Terrace as frozen values: TieringPolicy and NodeTiering.

Rule of this package: it imports nothing else of Terrace, touches no cluster, no clock and no kernel. People's
YAML comes in through `codec`, typed values go out, and back. Fixed defaults, bounds and documentation live in the
CRDs (`crds/*.yaml`) only; `schema` reads them.

Flow: YAML or API object -> `codec` -> `policy` / `node_tiering` values -> operator and agent.
"""

__version__ = "0.1.0"

GROUP = "terrace.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

OPT_OUT_LABEL = f"{GROUP}/tiering"
"""On a pod or a node, with the value `disabled`: Terrace keeps its hands off. Wins over every policy."""
OPT_OUT_VALUE = "disabled"

OUTRANKED_ANNOTATION = f"{GROUP}/outranked-policies"
"""On a NodeTiering: the policies that select the node as well, and are outranked by the one that it follows."""
