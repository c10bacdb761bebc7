//! A list as a person reads it (a table with a line per row) or as a program reads it (JSON as the agent gave it).

use std::process::ExitCode;

use comfy_table::{Cell, ContentArrangement, Table, presets};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::{Outcome, view};
use crate::screen::{PrintError, Screen, Tone, print, print_line};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    #[default]
    Table,
    Json,
}

/// The flag of every command that lists something.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct FormatFlag {
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

impl FormatFlag {
    /// Prints what the agent has answered: as it is, or as the listing that is made of it.
    pub(crate) fn print<T: DeserializeOwned>(
        self,
        json: &Value,
        listing: impl FnOnce(T) -> Listing,
    ) -> Outcome {
        match self.format {
            Format::Json => print_json(json)?,
            Format::Table => listing(view(json)?).print()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub(crate) struct Listing {
    table: Table,
    tones: Vec<Option<Tone>>,
}

impl Listing {
    pub(crate) fn new(header: &[&str]) -> Listing {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(header.iter().map(Cell::new));
        for column in table.column_iter_mut() {
            column.set_padding((0, 3));
        }
        Listing { table, tones: Vec::new() }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.toned(None, cells);
    }

    /// A row that stands out.
    pub(crate) fn toned<const N: usize>(&mut self, tone: Option<Tone>, cells: [String; N]) {
        self.table.add_row(cells.iter().map(|cell| Cell::new(one_line(cell))));
        self.tones.push(tone);
    }

    pub(crate) fn print(&self) -> Result<(), PrintError> {
        print(&self.render(Screen::stdout()))
    }

    /// As it is printed where there are no colours.
    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        self.render(Screen { colours: false, unicode: false })
    }

    fn render(&self, screen: Screen) -> String {
        let tones = std::iter::once(&None).chain(&self.tones);
        let lines = self.table.lines().zip(tones).map(|(line, tone)| {
            let line = line.trim_end();
            tone.map_or_else(|| format!("{line}\n"), |tone| screen.paint(tone, line) + "\n")
        });
        lines.collect()
    }
}

pub(crate) fn print_json(json: &Value) -> Result<(), PrintError> {
    print_line(&format!("{json:#}"))
}

/// As much of a text as a table has room for.
pub(crate) fn shorten(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        None => text.to_string(),
        Some(_) => text.chars().take(letters.saturating_sub(3)).collect::<String>() + "...",
    }
}

/// A row is a line, and no text of a service moves the cursor.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_columns_without_lines_or_blanks_at_the_end() {
        let mut listing = Listing::new(&["NAME", "REPLICAS"]);
        listing.row(["web".into(), "5/5".into()]);
        listing.toned(Some(Tone::Bad), ["chirp-worker".into(), "0/2\nx".into()]);
        let plain = listing.render(Screen { colours: false, unicode: false });
        assert_eq!(plain, "NAME           REPLICAS\nweb            5/5\nchirp-worker   0/2 x\n");
        let coloured = listing.render(Screen { colours: true, unicode: true });
        assert!(coloured.ends_with("\x1b[31mchirp-worker   0/2 x\x1b[0m\n"), "{coloured:?}");
    }

    #[test]
    fn an_empty_listing_has_its_header() {
        assert_eq!(Listing::new(&["A", "B"]).render(Screen { colours: false, unicode: false }), "A   B\n");
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        assert_eq!(shorten("abcdef", 6), "abcdef");
        assert_eq!(shorten("abcdefg", 6), "abc...");
    }
}
