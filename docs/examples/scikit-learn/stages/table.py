"""Reads a table: numbers, with the class in the last column."""

import csv

import numpy


def read(path):
    with open(path, newline="") as file:
        _, *rows = csv.reader(file)
    features = numpy.array([[float(cell) for cell in row[:-1]] for row in rows])
    return features, numpy.array([row[-1] for row in rows])
