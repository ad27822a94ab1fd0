"""Reports of a fit: in the terminal, as JSON, as HTML and as pictures.

Takes models and the results of their analysis. Gives ``terminal``, ``json``, ``html``, ``plots`` and ``plot_data``,
the numbers of the pictures, which the studio draws too. Every sentence comes from ``base.messages``.
"""
