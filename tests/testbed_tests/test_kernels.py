"""The table of kernels, and what becomes of a configuration of our own."""

from testbed.build_kernel import CONFIGS
from testbed.compile_kernel import not_taken
from testbed.kernels import KERNELS, newest_first

COMPILED = [one for one in KERNELS if one.config]


def test_a_kernel_that_is_compiled_here_is_never_the_newest() -> None:
    assert [one.version for one in COMPILED] == ["6.12-idle"]
    assert newest_first() == [one for one in reversed(KERNELS) if one not in COMPILED]


def test_a_kernel_that_is_compiled_here_says_so_in_its_release() -> None:
    for one in COMPILED:
        assert 'CONFIG_LOCALVERSION="-terrace-' in (CONFIGS / one.config).read_text()


def test_settings_that_kconfig_dropped_are_found() -> None:
    wanted = '# text\nCONFIG_A=y\nCONFIG_B=y\n\nCONFIG_C="c"\n'
    made = 'CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C="c"\nCONFIG_D=y\n'
    assert not_taken(wanted, made) == ["CONFIG_B=y"]
