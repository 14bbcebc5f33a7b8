"""What the paper prints: Tables 1 to 4 and the thresholds of appendix C.1.

Rows in the order of the paper, AdaGrad slowest and offset fastest; columns SD, MMD and SVGD.
"""

THRESHOLDS = {"grid": 0.0651, "question mark": 0.0612}

# Tables 3 and 4: average smallest distances over five trials.
DISTANCES = {
    "grid": (
        (0.0007, 0.6129, 0.8495),
        (0.0007, 0.6111, 0.8521),
        (0.0007, 0.5816, 0.7878),
        (0.0009, 0.5837, 0.7978),
        (0.0374, 0.9382, 0.7944),
        (0.0357, 0.9365, 0.7863),
        (0.0371, 0.9230, 0.7454),
        (0.0389, 0.9249, 0.7494),
        (0.0006, 0.1584, 0.0033),
        (0.0006, 0.1622, 0.0031),
        (0.0006, 0.1566, 0.0029),
        (0.0006, 0.1553, 0.0028),
        (0.0359, 0.1884, 0.0412),
        (0.0399, 0.1895, 0.0414),
        (0.0381, 0.1892, 0.0377),
        (0.0385, 0.1902, 0.0359),
    ),
    "question mark": (
        (0.0002, 0.1020, 0.2407),
        (0.0026, 0.7050, 0.6994),
        (0.0004, 0.1020, 0.2407),
        (0.0020, 0.7050, 0.6995),
        (0.0005, 0.1186, 0.2761),
        (0.0006, 0.5953, 0.7006),
        (0.0005, 0.1185, 0.2762),
        (0.0006, 0.5953, 0.7006),
        (0.0146, 0.1689, 0.1804),
        (0.0136, 0.8250, 0.6060),
        (0.0157, 0.1734, 0.1725),
        (0.0172, 0.8231, 0.6051),
        (0.0159, 0.2086, 0.2410),
        (0.0157, 0.8348, 0.6168),
        (0.0167, 0.2045, 0.2359),
        (0.0168, 0.8404, 0.6265),
        (0.0039, 0.0029, 0.0059),
        (0.0038, 0.1945, 0.0057),
        (0.0037, 0.0033, 0.0059),
        (0.0042, 0.1938, 0.0060),
        (0.0056, 0.0039, 0.0077),
        (0.0056, 0.0847, 0.0081),
        (0.0056, 0.0041, 0.0082),
        (0.0056, 0.0841, 0.0083),
        (0.0154, 0.0972, 0.0175),
        (0.0163, 0.3141, 0.0185),
        (0.0148, 0.0972, 0.0176),
        (0.0162, 0.3117, 0.0164),
        (0.0146, 0.1122, 0.0242),
        (0.0162, 0.2915, 0.0228),
        (0.0165, 0.1111, 0.0222),
        (0.0149, 0.2922, 0.0238),
    ),
}


def converged(cell):
    """Tables 1 and 2, whose cells are all 0 or 1: the share of the trials that converged."""
    if cell.method == "SD":
        return 1.0
    if cell.method == "SVGD":
        return float(cell.adagrad)
    centered = cell.problem == "question mark" and not cell.offset
    return float(centered and cell.adagrad and not cell.batch)


def distance(cell, cells):
    """The entry of Table 3 or 4 for a cell; `cells` are all of its problem, in their order."""
    row, column = divmod(cells.index(cell), 3)
    return DISTANCES[cell.problem][row][column]
