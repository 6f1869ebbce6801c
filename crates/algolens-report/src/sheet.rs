//! Pages of sections that are of no single model.

mod whole;

use crate::{
    FigureFile, ReportError,
    chart::chart_of_arrays,
    data::Numbers,
    figure::card,
    figures,
    page::{self, Plotly},
};
use algolens::interpret::{Arrays, Figure, Section};
use maud::html;
use serde_json::{Map, Value, json};

/// A page of sections that are of no single model: what is known of many, say. Its figures are drawn from arrays alone (bars,
/// lines, blocks, runs, strips).
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// What the page is about.
    pub title: String,
    /// What stands beside the title.
    pub headline: String,
    /// Where it comes from, in a line: the pictures of its figures say so.
    pub origin: String,
    /// Its sections.
    pub sections: Vec<Section>,
    /// The arrays that its figures are drawn from, by name.
    pub arrays: Arrays,
}

impl Sheet {
    /// The page: one HTML file that needs no network.
    ///
    /// # Errors
    /// Names what a figure lacks, what two things have in common that they must not, what is of a study, or a link that leads out
    /// of the page's folder.
    pub fn page(&self) -> Result<String, ReportError> {
        whole::check(&self.sections, &self.arrays)?;
        let bar = page::bar(&self.title, &html! { (self.headline) });
        let body = page::body(&bar, &self.sections, None, &card);
        Ok(page::document(&self.title, None, &body, &serde_json::to_string(&self.data())?, Plotly::With))
    }

    /// Every figure as files, in order, drawn without a browser.
    ///
    /// # Errors
    /// As [`page`](Self::page).
    pub fn figures(&self) -> Result<Vec<FigureFile>, ReportError> {
        whole::check(&self.sections, &self.arrays)?;
        let file = |figure| figures::file(figure, &chart_of_arrays(figure, &self.arrays)?, &self.origin);
        self.each_figure().map(file).collect()
    }

    fn each_figure(&self) -> impl Iterator<Item = &Figure> {
        self.sections.iter().flat_map(Section::figures)
    }

    /// The page's data, in the words of a report's.
    fn data(&self) -> Value {
        let plots: Map<String, Value> =
            self.each_figure().map(|figure| (figure.id.clone(), json!(figure.plot))).collect();
        let named = self.each_figure().flat_map(|figure| figure.plot.arrays());
        let arrays = named.filter_map(|name| Some((name.to_owned(), json!(Numbers::new(self.arrays.get(name)?)))));
        json!({ "title": self.title, "figures": plots, "arrays": arrays.collect::<Map<_, _>>() })
    }
}
