//! The tables.

use super::{Probe, Profile, Template, allow, deny};
use crate::sandbox::Stage;

/// First of every template.
const CONTROL: Profile =
    Profile::new("control", "(version 1)\n(allow default)\n", &[allow("file-read*", "/private/tmp/foo")]);

/// Refused by the kernel when a process without Apple's entitlement applies it.
const GATED_IOKIT: &str = "(version 1)\n(allow default)\n\
(allow iokit-open-user-client (apply-message-filter (deny iokit-external-method)))\n";
const GATED_MACH: &str =
    "(version 2)\n(allow default)\n(allow mach-bootstrap (apply-message-filter (deny mach-message-send)))\n";
const NEIGHBOUR: &str = "(version 1)\n(allow default)\n\
(allow iokit-open-user-client (apply-message-filter (allow iokit-external-method)))\n";

const BUCKET4: Profile = Profile::new(
    "v1_read",
    include_str!("../../../profiles/bucket4/v1_read.sb"),
    &[allow("file-read*", "/etc/hosts"), deny("file-write*", "/etc/hosts"), allow("file-read*", "/tmp/foo")],
);
const BUCKET5: Profile = Profile::new(
    "v11_read_subpath",
    include_str!("../../../profiles/bucket5/v11_read_subpath.sb"),
    &[allow("file-read*", "/tmp/foo"), deny("file-read*", "/tmp/bar"), deny("file-write*", "/tmp/foo")],
)
.with_rules(&["(allow file-read* (subpath \"/private/tmp/foo\"))"]);
const METAFILTER: Profile = Profile::new(
    "metafilter_any",
    include_str!("../../../profiles/runtime/metafilter_any.sb"),
    &[
        allow("file-read*", "/tmp/foo.txt"),
        allow("file-read*", "/private/tmp/foo.txt"),
        allow("file-read*", "/tmp/bar.txt"),
        allow("file-read*", "/tmp/qux.txt"),
        deny("file-read*", "/tmp/baz.txt"),
        deny("file-write*", "/tmp/baz.txt"),
    ],
)
.with_rules(&[
    "(deny file-read* (literal \"/private/tmp/baz.txt\"))",
    "(deny file-write* (literal \"/private/tmp/baz.txt\"))",
]);
const METAFILTER_ALL: Profile = Profile::new(
    "metafilter_all_not",
    "(version 1)\n(deny default)\n(allow file-read*\n  (require-all (subpath \"/private/tmp\")\n    \
     (require-not (regex #\"\\.key$\"))))\n",
    &[allow("file-read*", "/private/tmp/foo.txt"), deny("file-read*", "/private/tmp/foo.key")],
);
const STRICT: Profile = Profile::new(
    "strict_1",
    include_str!("../../../profiles/runtime/strict_1.sb"),
    &[
        allow("file-read*", "/private/tmp/strict_ok/allow.txt"),
        allow("file-write*", "/private/tmp/strict_ok/allow.txt"),
        deny("file-read*", "/etc/hosts"),
        deny("file-write*", "/etc/hosts"),
    ],
);
const DENY_ONLY: Profile = Profile::new(
    "deny_only",
    include_str!("../../../profiles/runtime/deny_only.sb"),
    &[deny("file-read*", "/etc/hosts"), deny("file-write*", "/etc/hosts"), deny("file-read*", "/tmp/foo")],
);

const BSD: &str = "/System/Library/Sandbox/Profiles/bsd.sb";
const AIRLOCK: &str = "/System/Library/Sandbox/Profiles/airlock.sb";
const REFUSED_READS: &[Probe] = &[deny("file-read*", "/etc/hosts"), deny("file-write*", "/etc/hosts")];

const SERVICE: &str = "com.apple.cfprefsd.agent";
const OTHER_SERVICE: &str = "com.apple.notifyd";
/// Under deny-default nothing may be executed once the profile is in force.
const IN_PROCESS: &[(&str, &str)] = &[("driver", "sandbox_mach_probe")];
const IOKIT: &[(&str, &str)] = &[("driver", "sandbox_iokit_probe")];
const IOKIT_CLIENT: &[(&str, &str)] = &[("driver", "sandbox_iokit_probe"), ("filter_name", "iokit-user-client-class")];
const BEFORE: &[(&str, &str)] = &[("acquire", "before")];
const AFTER: &[(&str, &str)] = &[("acquire", "after")];

macro_rules! anchor {
    ($name:literal) => {
        &[("anchor_ctx_id", $name)]
    };
}

pub(super) const TEMPLATES: &[Template] = &[
    Template {
        id: "runtime-checks",
        description: "The buckets, a metafilter, a strict profile and a refusing control: what the notes froze as golden.",
        profiles: &[CONTROL, BUCKET4, BUCKET5, METAFILTER, STRICT, DENY_ONLY],
    },
    Template {
        id: "metafilter",
        description: "Filters that combine others: any, all, not.",
        profiles: &[CONTROL, METAFILTER, METAFILTER_ALL],
    },
    Template {
        id: "strict",
        description: "Deny-default profiles that run at all.",
        profiles: &[CONTROL, STRICT, DENY_ONLY],
    },
    Template {
        id: "system-profiles",
        description: "Profiles of the system by path, on a Mac: bsd applies and refuses, airlock is blocked.",
        profiles: &[
            CONTROL,
            Profile::of_the_system("bsd", BSD, REFUSED_READS),
            Profile::of_the_system("airlock", AIRLOCK, REFUSED_READS).blocked_at(Stage::Preflight),
        ],
    },
    Template {
        id: "recompile",
        description: "Profiles of the system as text and recompiled to user blobs, on a Mac; golden_decodes.json compares them.",
        profiles: &[
            CONTROL,
            Profile::of_the_system("bsd_text", BSD, REFUSED_READS).in_family("bsd"),
            Profile::of_the_system("bsd_recompiled", BSD, REFUSED_READS).in_family("bsd").as_blob(),
            Profile::of_the_system("airlock_text", AIRLOCK, REFUSED_READS)
                .in_family("airlock")
                .blocked_at(Stage::Preflight),
            Profile::of_the_system("airlock_recompiled", AIRLOCK, REFUSED_READS)
                .in_family("airlock")
                .as_blob()
                .blocked_at(Stage::Preflight),
        ],
    },
    Template {
        id: "hardened-runtime",
        description: "Operations that are no files: services, sysctls, notifications, process information, signals, sockets.",
        profiles: &[
            CONTROL,
            Profile::new(
                "mach_lookup",
                "(version 1)\n(deny default)\n(allow mach-lookup (global-name \"com.apple.cfprefsd.agent\"))\n",
                &[allow("mach-lookup", SERVICE).with(IN_PROCESS), deny("mach-lookup", OTHER_SERVICE).with(IN_PROCESS)],
            ),
            Profile::new(
                "mach_lookup_deny",
                "(version 1)\n(allow default)\n(deny mach-lookup (global-name \"com.apple.cfprefsd.agent\"))\n",
                &[deny("mach-lookup", SERVICE).with(IN_PROCESS), allow("mach-lookup", OTHER_SERVICE).with(IN_PROCESS)],
            ),
            Profile::new(
                "sysctl_read",
                "(version 1)\n(deny default)\n(allow sysctl-read (sysctl-name \"hw.ncpu\"))\n",
                &[allow("sysctl-read", "hw.ncpu"), deny("sysctl-read", "kern.osrelease")],
            ),
            Profile::new(
                "sysctl_read_deny",
                "(version 1)\n(allow default)\n(deny sysctl-read (sysctl-name \"hw.ncpu\"))\n",
                &[deny("sysctl-read", "hw.ncpu"), allow("sysctl-read", "kern.osrelease")],
            ),
            Profile::new(
                "notifications",
                "(version 1)\n(deny default)\n(deny darwin-notification-post)\n\
                 (allow darwin-notification-post (notification-name \"sbpl.probe.allowed\"))\n\
                 (allow distributed-notification-post (notification-name \"sbpl.probe.allowed\"))\n",
                &[
                    allow("darwin-notification-post", "sbpl.probe.allowed"),
                    deny("darwin-notification-post", "sbpl.probe.refused"),
                    allow("distributed-notification-post", "sbpl.probe.allowed"),
                    deny("distributed-notification-post", "sbpl.probe.refused"),
                ],
            ),
            Profile::new(
                "process_info",
                "(version 1)\n(allow default)\n(deny process-info* (target others))\n",
                &[allow("process-info-pidinfo", "self"), deny("process-info-pidinfo", "others")],
            ),
            Profile::new(
                "signal",
                "(version 1)\n(deny default)\n(allow signal (target same-sandbox))\n",
                &[allow("signal", "same-sandbox")],
            ),
            Profile::new(
                "signal_deny",
                "(version 1)\n(allow default)\n(deny signal)\n",
                &[deny("signal", "same-sandbox")],
            ),
            Profile::new(
                "system_socket",
                "(version 1)\n(deny default)\n(allow system-socket)\n",
                &[allow("system-socket", "AF_SYSTEM")],
            ),
            Profile::new(
                "system_socket_deny",
                "(version 1)\n(allow default)\n(deny system-socket)\n",
                &[deny("system-socket", "AF_SYSTEM")],
            ),
        ],
    },
    Template {
        id: "acquire",
        description: "The same refused resource acquired before and after the profile is in force: does the moment count?",
        profiles: &[
            CONTROL,
            Profile::new(
                "file",
                "(version 1)\n(allow default)\n(deny file-read* (literal \"/private/tmp/foo\"))\n",
                &[allow("file-read*", "/tmp/foo").with(BEFORE), deny("file-read*", "/tmp/foo").with(AFTER)],
            ),
            Profile::new(
                "service",
                "(version 1)\n(allow default)\n(deny mach-lookup (global-name \"com.apple.cfprefsd.agent\"))\n",
                &[
                    allow("mach-lookup", SERVICE).with(&[("driver", "sandbox_mach_probe"), ("acquire", "before")]),
                    deny("mach-lookup", SERVICE).with(&[("driver", "sandbox_mach_probe"), ("acquire", "after")]),
                ],
            ),
        ],
    },
    Template {
        id: "iokit",
        description: "Opening a device service asks twice: for the service and for the user client.",
        profiles: &[
            CONTROL,
            Profile::new(
                "both",
                "(version 1)\n(deny default)\n\
                 (allow iokit-open-service (iokit-registry-entry-class \"IOSurfaceRoot\"))\n\
                 (allow iokit-open-user-client (iokit-user-client-class \"IOSurfaceRootUserClient\"))\n",
                &[
                    allow("iokit-open-service", "IOSurfaceRoot").with(IOKIT),
                    allow("iokit-open-user-client", "IOSurfaceRootUserClient").with(IOKIT_CLIENT),
                ],
            ),
            Profile::new(
                "service_denied",
                "(version 1)\n(allow default)\n(deny iokit-open-service (iokit-registry-entry-class \"IOSurfaceRoot\"))\n",
                &[deny("iokit-open-service", "IOSurfaceRoot").with(IOKIT)],
            ),
            Profile::new(
                "client_denied",
                "(version 1)\n(allow default)\n\
                 (deny iokit-open-user-client (iokit-user-client-class \"IOSurfaceRootUserClient\"))\n",
                &[deny("iokit-open-user-client", "IOSurfaceRootUserClient").with(IOKIT_CLIENT)],
            ),
        ],
    },
    Template {
        id: "vocabulary-drift",
        description: "An operation under a name that the system retired: a warning of the compiler, never a refusal.",
        profiles: &[
            CONTROL,
            Profile::new(
                "iokit_open",
                "(version 1)\n(deny default)\n\
                 (allow iokit-open (iokit-user-client-class \"IOSurfaceRootUserClient\"))\n",
                &[allow("iokit-open-user-client", "IOSurfaceRootUserClient").with(IOKIT_CLIENT)],
            ),
        ],
    },
    Template {
        id: "vfs-canonicalization",
        description: "One file in three spellings: only the one behind all links counts, and each link needs its metadata.",
        profiles: &[
            CONTROL,
            Profile::new(
                "tmp_only",
                "(version 1)\n(deny default)\n(allow file-read* (literal \"/tmp/foo\"))\n",
                &[deny("file-read*", "/tmp/foo"), deny("file-read*", "/private/tmp/foo")],
            ),
            Profile::new(
                "private_tmp_only",
                "(version 1)\n(deny default)\n(allow file-read* (literal \"/private/tmp/foo\"))\n",
                &[
                    allow("file-read*", "/tmp/foo"),
                    allow("file-read*", "/private/tmp/foo"),
                    allow("file-read*", "/System/Volumes/Data/private/tmp/foo"),
                ],
            ),
            Profile::new(
                "data_only",
                "(version 1)\n(deny default)\n(allow file-read* (literal \"/System/Volumes/Data/private/tmp/foo\"))\n",
                &[deny("file-read*", "/tmp/foo"), deny("file-read*", "/System/Volumes/Data/private/tmp/foo")],
            ),
            Profile::new(
                "etc_both",
                "(version 1)\n(deny default)\n\
                 (allow file-read* (literal \"/etc/hosts\") (literal \"/private/etc/hosts\"))\n",
                &[deny("file-read*", "/etc/hosts"), allow("file-read*", "/private/etc/hosts")],
            ),
            Profile::new(
                "etc_metadata",
                "(version 1)\n(deny default)\n(allow file-read* (literal \"/private/etc/hosts\"))\n\
                 (allow file-read-metadata (literal \"/etc\"))\n",
                &[allow("file-read*", "/etc/hosts")],
            ),
            Profile::new(
                "dots",
                "(version 1)\n(allow default)\n(deny file-read* (literal \"/private/tmp/blocked.txt\"))\n",
                &[deny("file-read*", "/private/tmp/okdir/../blocked.txt")],
            ),
        ],
    },
    Template {
        id: "anchors",
        description: "What one place is called by: literal, subpath and regex on a folder and its look-alike.",
        profiles: &[
            CONTROL,
            Profile::new(
                "subpath",
                "(version 1)\n(deny default)\n(allow file-read* (subpath \"/private/tmp/mountrel\"))\n",
                &[
                    allow("file-read*", "/private/tmp/mountrel/allowed.txt").with(anchor!("mountrel")),
                    allow("file-read*", "/tmp/mountrel/allowed.txt").with(anchor!("mountrel")),
                    deny("file-read*", "/private/tmp/mountrel_outside/blocked.txt").with(anchor!("outside")),
                ],
            ),
            Profile::new(
                "literal",
                "(version 1)\n(deny default)\n(allow file-read* (literal \"/private/tmp/mountrel\"))\n",
                &[deny("file-read*", "/private/tmp/mountrel/allowed.txt").with(anchor!("mountrel"))],
            ),
            Profile::new(
                "prefix",
                "(version 1)\n(deny default)\n(allow file-read* (prefix \"/private/tmp/mountrel\"))\n",
                &[
                    allow("file-read*", "/private/tmp/mountrel/allowed.txt").with(anchor!("mountrel")),
                    allow("file-read*", "/private/tmp/mountrel_outside/blocked.txt").with(anchor!("outside")),
                ],
            ),
            Profile::new("rule", "(version 1)\n(allow default)\n", &[deny("file-read*", "/tmp/mountrel/allowed.txt")])
                .with_rules(&["(deny file-read* (regex #\"^/private/tmp/mountrel/\"))"]),
        ],
    },
    Template {
        id: "mach-names",
        description: "A service is matched by its global name only.",
        profiles: &[
            CONTROL,
            Profile::new(
                "global",
                "(version 1)\n(deny default)\n(allow mach-lookup (global-name \"com.apple.cfprefsd.agent\"))\n",
                &[allow("mach-lookup", SERVICE).with(IN_PROCESS)],
            ),
            Profile::new(
                "local",
                "(version 1)\n(deny default)\n(allow mach-lookup (local-name \"com.apple.cfprefsd.agent\"))\n",
                &[deny("mach-lookup", SERVICE).with(IN_PROCESS)],
            ),
        ],
    },
    Template {
        id: "sockets",
        description: "Connections to listeners on this machine, by port.",
        profiles: &[
            CONTROL,
            Profile::new(
                "port",
                "(version 1)\n(allow default)\n(deny network-outbound)\n\
                 (allow network-outbound (remote tcp \"localhost:62646\"))\n",
                &[allow("network-outbound", "127.0.0.1:62646"), deny("network-outbound", "127.0.0.1:62647")],
            ),
            Profile::new(
                "denied_port",
                "(version 1)\n(allow default)\n(deny network-outbound (remote tcp \"localhost:62646\"))\n",
                &[deny("network-outbound", "127.0.0.1:62646"), allow("network-outbound", "127.0.0.1:62647")],
            ),
        ],
    },
    Template {
        id: "preflight",
        description: "What is known not to apply, and the nearest neighbour that applies.",
        profiles: &[
            CONTROL,
            Profile::new("iokit_gate", GATED_IOKIT, &[allow("file-read*", "/tmp/foo")]).blocked_at(Stage::Preflight),
            Profile::new("mach_gate", GATED_MACH, &[allow("file-read*", "/tmp/foo")]).blocked_at(Stage::Preflight),
            Profile::new("neighbour", NEIGHBOUR, &[allow("file-read*", "/tmp/foo")]),
        ],
    },
];
