"""The backend comparison, ``python -m gpugrad bench``: the same work on each device of this machine, measured by turns.

======================  ====================================================================================================
``method.py``           how it is measured, and what may be concluded; shared with benchmarks/ of a checkout
``case.py``             what a case is: a name, sizes, and how to prepare its work on a device
``ops.py``              single ops over sizes, and gradients of some
``transfers.py``        copies between the CPU and a GPU
``training.py``         training steps, written once for gpugrad and PyTorch; those of ``mlp``, ``cnn``, ``gpt``, ``lstm``
``effort.py``           how much is measured, and how time is shared where it is short
``compare.py``          cases on devices: agreement first, then times; from which size a device wins
``table.py``            the table on the terminal
``plot.py``             the picture
``report.py``           the command: options, devices, JSON
======================  ====================================================================================================

A new case is a :class:`~gpugrad.bench.case.Case` in a list of ``report.CASES``.
"""
