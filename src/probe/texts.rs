//! The texts that a plan was read from: what is wrong with a plan is told with its place in them.

use std::sync::Arc;

use super::error::ProbeError;
use super::place::{self, Step};
use crate::diag::{Location, Source, SourceId, SourceMap, Span};

/// One of the documents of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Document {
    Plan,
    Profiles,
    Probes,
    Matrix,
}

/// The texts, and where in them each document begins.
#[derive(Debug, Clone)]
pub(super) struct Texts {
    pub(super) sources: SourceMap,
    /// The document that is being read.
    pub(super) current: Option<Document>,
    /// Folder of the plan with a slash, as the plan's name has it.
    folder: String,
    places: Vec<(Document, SourceId, &'static [&'static str])>,
}

impl Texts {
    pub(super) fn new(plan: Source) -> Self {
        let folder = plan.name().rsplit_once('/').map(|(folder, _)| format!("{folder}/")).unwrap_or_default();
        let mut sources = SourceMap::new();
        let id = sources.add(plan);
        Self { sources, current: Some(Document::Plan), folder, places: vec![(Document::Plan, id, &[])] }
    }

    /// The next document, by its name relative to the plan.
    pub(super) fn add(&mut self, document: Document, name: &str, text: Vec<u8>) {
        let id = self.sources.add(Source::new(format!("{}{name}", self.folder), text));
        self.places.push((document, id, &[]));
        self.current = Some(document);
    }

    /// Plan and registries stand in one text; a registry is there whole or as its table only.
    pub(super) fn in_template(&mut self, whole_profiles: bool, whole_probes: bool) {
        let Some(&(_, id, _)) = self.places.first() else { return };
        let profiles: &[&str] = if whole_profiles { &["profiles"] } else { &[] };
        let probes: &[&str] = if whole_probes { &["probes"] } else { &[] };
        self.places =
            vec![(Document::Plan, id, &["plan"]), (Document::Profiles, id, profiles), (Document::Probes, id, probes)];
    }

    /// The text that `document` stands in; empty when there is none.
    pub(super) fn text(&self, document: Document) -> Arc<[u8]> {
        let place = self.places.iter().find(|(known, ..)| *known == document);
        let source = place.and_then(|(_, id, _)| self.sources.get(*id));
        source.map_or_else(|| Arc::from([]), Source::shared_text)
    }

    /// The value behind `steps`.
    pub(super) fn value(&self, document: Document, steps: &[Step<'_>]) -> Option<Location> {
        self.find(document, steps, place::value)
    }

    /// The key `key` of the object behind `steps`.
    pub(super) fn key(&self, document: Document, steps: &[Step<'_>], key: &str) -> Option<Location> {
        self.find(document, steps, |text, steps| place::key(text, steps, key))
    }

    /// Keys of the object behind `steps` that stand there twice.
    pub(super) fn duplicate_keys(&self, document: Document, steps: &[Step<'_>]) -> Vec<(String, Location)> {
        let Some((id, under)) = self.place(document) else { return Vec::new() };
        let duplicates = place::duplicate_keys(&self.text(document), &[under, steps.to_vec()].concat());
        duplicates.into_iter().map(|(key, range)| (key, at(id, range))).collect()
    }

    fn place(&self, document: Document) -> Option<(SourceId, Vec<Step<'static>>)> {
        let (_, id, under) = self.places.iter().find(|(known, ..)| *known == document)?;
        Some((*id, under.iter().map(|key| Step::Key(key)).collect()))
    }

    fn find(
        &self,
        document: Document,
        steps: &[Step<'_>],
        find: impl Fn(&[u8], &[Step<'_>]) -> Option<std::ops::Range<usize>>,
    ) -> Option<Location> {
        let (id, under) = self.place(document)?;
        let range = find(&self.text(document), &[under, steps.to_vec()].concat())?;
        Some(at(id, range))
    }

    /// Where `error` of reading `document` is; the document's first byte when nothing better is known.
    pub(super) fn of_error(&self, document: Document, error: &ProbeError) -> Option<Location> {
        let (id, _) = self.place(document)?;
        let text = self.text(document);
        if let Err(broken) = serde_json::from_slice::<serde::de::IgnoredAny>(&text) {
            let offset = place::offset(&text, broken.line(), broken.column());
            return Some(at(id, offset..offset));
        }
        let found = match error {
            ProbeError::PlanSchema { .. } => self.value(document, &[Step::Key("schema_version")]),
            ProbeError::ForbiddenKey { key } => self.key(document, &[], key),
            ProbeError::Entry { id, .. } => {
                let table = if document == Document::Profiles { "profiles" } else { "probes" };
                self.key(document, &[Step::Key(table)], id)
            }
            ProbeError::Shape { .. } => None,
            _ => return None,
        };
        found.or_else(|| Some(at(id, 0..0)))
    }
}

fn at(id: SourceId, range: std::ops::Range<usize>) -> Location {
    // Sources are shorter than 4 GiB: files that are read have a limit.
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Location::new(id, Span::new(offset(range.start), offset(range.end)))
}
