"""Which files of a day are merged, by their sizes alone (pure)."""

from collections.abc import Collection, Sequence


def runs(names: Sequence[str], unreadable: Collection[str]) -> list[list[str]]:
    """Return the stretches of neighbours between files that cannot be read.

    Examples
    --------
    >>> runs(["a", "b", "x", "c"], {"x"})
    [['a', 'b'], ['c']]
    """
    stretches: list[list[str]] = [[]]
    for name in names:
        if name in unreadable:
            stretches.append([])
        else:
            stretches[-1].append(name)
    return [stretch for stretch in stretches if stretch]


def newest_to_merge(sizes: Sequence[int]) -> int:
    """Return the index from which the files of a running day are merged.

    Parameters
    ----------
    sizes
        Bytes of the files, oldest first, shape (n,).

    Notes
    -----
    A file that outweighs all newer ones together waits, so that each row is rewritten a few times
    a day and not once per merge.

    Examples
    --------
    >>> newest_to_merge([100, 1, 1, 1]), newest_to_merge([3, 1, 1, 1]), newest_to_merge([1])
    (1, 0, 0)
    """
    newer = sum(sizes)
    for index, size in enumerate(sizes):
        newer -= size
        if size <= newer:
            return index
    return max(0, len(sizes) - 1)
