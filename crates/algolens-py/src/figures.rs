//! Figures of a user's own arrays.

use crate::study::failed;
use algolens_report::{Drawn, Labelled, Sketch};
use numpy::{PyReadonlyArray2, PyReadonlyArray3, PyReadonlyArray4};
use pyo3::prelude::*;

/// What is along an axis, and a label for each place.
type Axis = (String, Vec<String>);

fn labelled((title, labels): Axis) -> Labelled {
    Labelled { title, labels }
}

/// A figure.
#[pyclass(frozen)]
pub struct Figure {
    sketch: Sketch,
}

impl Figure {
    fn checked(sketch: Sketch) -> PyResult<Self> {
        sketch.check().map_err(failed)?;
        Ok(Self { sketch })
    }
}

#[pymethods]
impl Figure {
    /// Matrices `[matrix, row, column]` side by side, on one scale.
    #[staticmethod]
    fn matrices(
        title: String,
        cells: PyReadonlyArray3<'_, f32>,
        names: Vec<String>,
        rows: Axis,
        columns: Axis,
        unit: String,
    ) -> PyResult<Self> {
        let cells = cells.as_array().to_owned();
        let drawn = Drawn::Matrices { cells, names, rows: labelled(rows), columns: labelled(columns), unit };
        Self::checked(Sketch { title, drawn })
    }

    /// Groups of bars, `[group, bar]`.
    #[staticmethod]
    fn bars(
        title: String,
        values: PyReadonlyArray2<'_, f32>,
        groups: Axis,
        series: Vec<String>,
        unit: String,
    ) -> PyResult<Self> {
        let drawn = Drawn::Bars { values: values.as_array().to_owned(), groups: labelled(groups), series, unit };
        Self::checked(Sketch { title, drawn })
    }

    /// Attention patterns `[example, head, query, key]`.
    #[staticmethod]
    fn patterns(
        title: String,
        weights: PyReadonlyArray4<'_, f32>,
        heads: Vec<String>,
        tokens: Vec<Vec<String>>,
    ) -> PyResult<Self> {
        let drawn = Drawn::Patterns { weights: weights.as_array().to_owned(), heads, tokens };
        Self::checked(Sketch { title, drawn })
    }

    /// The figure as a page of its own, as HTML.
    fn page(&self) -> PyResult<String> {
        self.sketch.page().map_err(failed)
    }

    /// The figure as an SVG document.
    fn svg(&self) -> PyResult<String> {
        self.sketch.svg().map_err(failed)
    }

    /// The figure's numbers as CSV.
    fn csv(&self) -> PyResult<String> {
        self.sketch.csv().map_err(failed)
    }
}
