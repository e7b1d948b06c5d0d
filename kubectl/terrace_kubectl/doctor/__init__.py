"""What is wrong with Terrace on a cluster, and what to do about it.

Rule of this package: a check is one pure function from `Facts` to findings, listed in `checks.CHECKS`; it says nothing
about what it could not see, that is `Facts.unseen`. A new check needs no other change.

    facts           all that is looked at, as values        (made by `terrace_kubectl.inspection`)
    findings        what a check says
    installation    is everything installed, and of the same version?
    reports         has every node a NodeTiering, and is its agent heard?
    engines         can an engine run on every node, and what helps where none can?
    nodes           does every node do what it is told, and what holds it up?
    policies        does every policy do what it says?
    checks          all of them, and the verdict
"""
