"""The backend comparison, ``python -m gpugrad bench``: the same work on each device of this machine, measured by turns.

======================  ====================================================================================================
``method.py``           how it is measured, and what may be concluded; shared with benchmarks/ of a checkout
``case.py``             what a case is: a name, sizes, and how to prepare its work on a device
``ops.py``              single ops over sizes
``transfers.py``        copies between the CPU and a GPU
``training.py``         training steps, written once for gpugrad and PyTorch; those of ``mlp``, ``cnn``, ``gpt``, ``lstm``
``compare.py``          cases on devices: agreement first, then times; from which size a device wins
``report.py``           the command: the table on the terminal, and JSON
======================  ====================================================================================================

A new case is a :class:`~gpugrad.bench.case.Case` in a list of ``report.CASES``.
"""
