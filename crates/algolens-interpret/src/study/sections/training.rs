//! How a model was trained, for the section about it.

use super::{
    figure,
    model::{facts, named},
};
use crate::study::{
    arrays::{Arrays, table},
    data::Study,
    figure::Plot,
    section::Item,
};
use algolens_core::train::{EpochRecord, Recipe};

/// A model's training: recipe and history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Training {
    /// The recipe, if it is known.
    pub recipe: Option<Recipe>,
    /// The records of its epochs, in order.
    pub history: Vec<EpochRecord>,
}

impl Training {
    /// Adds the training to a study of the model, with the array `history`.
    pub fn add_to(&self, study: &mut Study, arrays: &mut Arrays) {
        let Some(section) = study.section_mut("model") else { return };
        let (Some(first), Some(last)) = (self.history.first(), self.history.last()) else { return };
        section.items.push(Item::Table(facts("training", "How it was trained", self.rows(first, last))));
        section.items.push(figure(
            "training",
            format!("After {} epochs the validation loss is {:.3} nats", last.epoch, last.validation_loss),
            "Loss and accuracy by epoch, while training and on examples that are not learnt from; the marked epoch's weights were kept.",
            Plot::Training,
        ));
        let row = |epoch: &EpochRecord| {
            [
                epoch.epoch as f64,
                epoch.train_loss,
                epoch.validation_loss,
                epoch.train_accuracy,
                epoch.validation_accuracy,
                f64::from(u8::from(epoch.best)),
            ]
        };
        arrays.insert("history".into(), table(&self.history.iter().map(row).collect::<Vec<_>>()));
    }

    fn rows(&self, first: &EpochRecord, last: &EpochRecord) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        if let Some(recipe) = &self.recipe {
            rows.extend([
                ("data", format!("{} examples, validated on {}", recipe.train_size, recipe.validation_size)),
                ("seed, batch", format!("{}, {}", recipe.seed, recipe.batch_size)),
                ("optimizer", format!("{}, weight decay {}", named(&recipe.optimizer), recipe.weight_decay)),
            ]);
        }
        rows.push(("epochs, steps", format!("{}, {}", last.epoch, last.steps)));
        rows.push(("learning rate", format!("{} to {}", first.learning_rate as f32, last.learning_rate as f32)));
        if let Some(best) = self.history.iter().rfind(|record| record.best) {
            rows.push(("kept", format!("epoch {}, validation accuracy {:.4}", best.epoch, best.validation_accuracy)));
        }
        rows
    }
}
