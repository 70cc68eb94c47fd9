//! What stands above and below the sections: which run this is, and what it came to.

use super::assets;
use super::markup::Markup;
use super::verdict::Verdict;
use super::{Bundle, View};
use crate::probe::artifact::{Host, Selection};

pub(super) fn head(html: &mut Markup, view: &View<'_>) {
    html.element("head", &[], |head| {
        head.void("meta", &[("charset", "utf-8")]);
        head.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &assets::policy())]);
        head.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
        head.void("meta", &[("name", "color-scheme"), ("content", "light dark")]);
        head.leaf("title", &[], &format!("{}: run report", view.bundle.manifest.head.plan_id));
        head.asset("style", assets::STYLE);
    });
    html.line_end();
}

pub(super) fn header(body: &mut Markup, view: &View<'_>) {
    body.leaf("a", &[("class", "skip"), ("href", "#content")], "Skip to the results");
    body.element("header", &[], |header| {
        header.leaf("p", &[("class", "kicker")], "sbpl run report");
        header.element("h1", &[], |title| {
            title.text(&view.bundle.manifest.head.plan_id);
            title.text(" ");
            let status = view.bundle.summary.status.as_str();
            let (class, symbol) = match status {
                "ok" => ("badge ok", "✓"),
                "failed" => ("badge bad", "✗"),
                _ => ("badge stop", "▲"),
            };
            title.leaf("span", &[("class", class)], &format!("{symbol} {status}"));
        });
        header.leaf("p", &[("class", "lead")], &lead(view));
        tiles(header, view);
        facts(header, view.bundle);
    });
    navigation(body, view);
}

fn lead(view: &View<'_>) -> String {
    let [as_expected, blocked, ..] = view.counts;
    let all: usize = view.counts.iter().sum();
    let profiles = view.bundle.results.len();
    let mut text = format!("{} of {all} probes of {profiles} profiles came out as expected.", as_expected + blocked);
    if view.bundle.summary.dry_run {
        text.push_str(" This was a dry run: nothing was asked.");
    } else if view.bundle.manifest.head.channel == "simulated" {
        text.push_str(" The decision engine answered; no process was started.");
    }
    if let Some(error) = view.bundle.status.error.as_ref().or(view.bundle.mismatches.error.as_ref()) {
        text.push_str(&format!(" The run failed: {error}"));
    }
    text
}

fn tiles(header: &mut Markup, view: &View<'_>) {
    header.element("ul", &[("class", "tiles")], |list| {
        for (verdict, count) in Verdict::ALL.into_iter().zip(view.counts) {
            let class = if count == 0 { "tile none" } else { verdict.class() };
            list.element("li", &[("class", class)], |tile| {
                tile.leaf("span", &[("class", "symbol"), ("aria-hidden", "true")], verdict.symbol());
                tile.leaf("strong", &[], &count.to_string());
                tile.text(" ");
                tile.text(verdict.words());
            });
        }
    });
}

fn facts(header: &mut Markup, bundle: &Bundle) {
    let Bundle { manifest, summary, status, .. } = bundle;
    let lanes = &summary.lanes;
    let lanes = [("baseline", lanes.baseline), ("scenario", lanes.scenario), ("oracle", lanes.oracle)];
    let lanes: Vec<&str> = lanes.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    let tool = manifest.tool_version.as_deref().map_or("another tool".to_owned(), |version| format!("sbpl {version}"));
    let mut rows = vec![
        ("run", manifest.head.run_id.clone()),
        ("world", manifest.head.world_id.clone()),
        ("backend", manifest.backend.clone().unwrap_or_else(|| "not recorded".to_owned())),
        ("channel", manifest.head.channel.clone()),
        ("lanes", lanes.join(", ")),
        ("written by", tool),
        ("finished", utc(status.updated_at_unix)),
        ("plan digest", manifest.head.plan_digest.clone()),
    ];
    rows.extend(manifest.host.as_ref().map(|host| ("host", host_words(host))));
    rows.extend(manifest.only.as_ref().map(|only| ("only", selection_words(only))));
    header.element("dl", &[("class", "facts")], |list| {
        for (name, value) in &rows {
            list.element("div", &[], |row| {
                row.leaf("dt", &[], name);
                row.leaf("dd", &[], value);
            });
        }
    });
}

/// `macos 14.4.1 (23E224), aarch64, SIP on`
fn host_words(host: &Host) -> String {
    let version = host.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let build = host.build.as_ref().map(|build| format!(" ({build})")).unwrap_or_default();
    let sip = host.sip.map_or("", |on| if on { ", SIP on" } else { ", SIP off" });
    format!("{}{version}{build}, {}{sip}", host.os, host.arch)
}

/// Which part of the plan was asked for.
fn selection_words(only: &Selection) -> String {
    [&only.profiles, &only.scenarios].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn navigation(body: &mut Markup, view: &View<'_>) {
    let links = [
        ("#matrix", "Matrix", None),
        ("#stages", "Stages", None),
        ("#mismatches", "Mismatches", Some(view.bundle.mismatches.mismatches.len())),
        ("#denials", "Denials", Some(view.denials)),
        ("#lanes", "Lanes", None),
        ("#profiles", "Profiles", Some(view.bundle.results.len())),
    ];
    body.element("nav", &[("aria-label", "Sections")], |nav| {
        nav.element("ul", &[], |list| {
            for (address, name, count) in links {
                list.element("li", &[], |item| {
                    item.element("a", &[("href", address)], |link| {
                        link.text(name);
                        if let Some(count) = count {
                            link.text(" ");
                            link.leaf("span", &[("class", "count")], &count.to_string());
                        }
                    });
                });
            }
        });
        // The script shows it: without one it could not do anything.
        nav.element("div", &[("id", "filter-bar"), ("hidden", "")], |bar| {
            bar.leaf("label", &[("for", "filter")], "Filter");
            let hint = "a profile, path, operation, deny …";
            let input = [("id", "filter"), ("type", "search"), ("placeholder", hint), ("autocomplete", "off")];
            bar.void("input", &[&input[..], &[("spellcheck", "false"), ("aria-describedby", "filter-said")]].concat());
            bar.leaf("output", &[("id", "filter-said"), ("for", "filter"), ("aria-live", "polite")], "");
        });
    });
}

pub(super) fn footer(body: &mut Markup, view: &View<'_>) {
    body.element("footer", &[], |footer| {
        footer.element("p", &[], |text| {
            text.text("Made by ");
            text.leaf("code", &[], "sbpl report");
            text.text(" from the verified bundle of run ");
            text.leaf("code", &[], &view.bundle.manifest.head.run_id);
            text.text(".");
        });
    });
}

/// Unix seconds as date and time; the proleptic Gregorian calendar, counted in eras of 400 years from 0000-03-01.
fn utc(seconds: f64) -> String {
    // A float to integer cast saturates; four digits of year are enough for any run.
    let seconds = (seconds as i64).clamp(0, 253_402_300_799);
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", second / 3_600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn seconds_are_a_date() {
        let known = [
            (0.0, "1970-01-01 00:00:00 UTC"),
            (951_782_400.0, "2000-02-29 00:00:00 UTC"),
            (1_713_139_199.9, "2024-04-14 23:59:59 UTC"),
            (f64::NAN, "1970-01-01 00:00:00 UTC"),
            (1e300, "9999-12-31 23:59:59 UTC"),
        ];
        known.iter().for_each(|(seconds, text)| assert_eq!(utc(*seconds), *text));
    }
}
