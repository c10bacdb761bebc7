//! What is matched is what is forwarded: encodings of a path, against rules that guard or open it. The cases are those by
//! which other proxies let requests past their rules (CVE-2023-47106, CVE-2025-32431, CVE-2025-47952, CVE-2025-66490,
//! CVE-2026-48020 of Traefik, CVE-2024-10005 of Consul).

use adsum_routing::path::{PathError, normalise};

use crate::kit::{check, service, table};

#[track_caller]
fn becomes(raw: &str, expect: &str) {
    assert_eq!(normalise(raw).as_deref(), Ok(expect), "{raw}");
}

#[track_caller]
fn refused(raw: &str, expect: PathError) {
    assert_eq!(normalise(raw), Err(expect), "{raw}");
}

#[test]
fn dot_segments_are_resolved_however_they_are_written() {
    becomes("/a/./b", "/a/b");
    becomes("/a/../b", "/b");
    becomes("/a/%2e%2e/b", "/b");
    becomes("/a/.%2E/b", "/b");
    becomes("/a/%2e/b", "/a/b");
    becomes("/a/b/..", "/a/");
    becomes("/a/b/.", "/a/b/");
    becomes("/..", "/");
    becomes("/../../etc/passwd", "/etc/passwd");
    becomes("/a/..//b", "//b");
    becomes("/a//../b", "/a/b");
    becomes("/...", "/...");
    becomes("/a/..b/c..", "/a/..b/c..");
    becomes("/.well-known/x", "/.well-known/x");
}

#[test]
fn percent_encoding_has_one_form() {
    becomes("/%61%2D%5f%7E", "/a-_~");
    becomes("/%c3%BC", "/%C3%BC");
    becomes("/a%20b", "/a%20b");
    becomes("/%252e%252e/", "/%252e%252e/");
    becomes("/%25", "/%25");
    becomes("/a;x=1/b", "/a;x=1/b");
    becomes("//a///b/", "//a///b/");
    becomes("/a:b@c!$&'()*+,=", "/a:b@c!$&'()*+,=");
}

#[test]
fn what_servers_read_in_different_ways_is_refused() {
    for (raw, code) in [
        ("/%2f", b'/'),
        ("/%2F", b'/'),
        ("/%5c", b'\\'),
        ("/%00", 0),
        ("/%3b", b';'),
        ("/%3F", b'?'),
        ("/%23", b'#'),
    ] {
        refused(raw, PathError::Delimiter { code, at: 1 });
    }
    refused("/a\\..\\b", PathError::Byte { byte: b'\\', at: 2 });
    refused("/a b", PathError::Byte { byte: b' ', at: 2 });
    refused("/a\u{1}", PathError::Byte { byte: 1, at: 2 });
    refused("/ü", PathError::Byte { byte: 0xc3, at: 1 });
    refused("/a?b", PathError::Byte { byte: b'?', at: 2 });
    refused("/a#b", PathError::Byte { byte: b'#', at: 2 });
    refused("/%", PathError::Percent { at: 1 });
    refused("/a%2", PathError::Percent { at: 2 });
    refused("/%zz", PathError::Percent { at: 1 });
    refused("/%%41", PathError::Percent { at: 1 });
    refused("/%+1", PathError::Percent { at: 1 });
    refused("/a/..;x/b", PathError::DotParameter);
    refused("/a/%2e%2e;/b", PathError::DotParameter);
    refused("/.;", PathError::DotParameter);
    refused("", PathError::Relative);
    refused("*", PathError::Relative);
    refused("a/b", PathError::Relative);
    refused("http://a/b", PathError::Relative);
}

#[test]
fn a_path_error_says_what_and_where() {
    let told = |raw: &str| normalise(raw).unwrap_err().to_string();
    assert_eq!(
        told("/a%2Fb"),
        "the path has an encoded delimiter (%2F) at byte 2: servers do not agree on what it means"
    );
    assert_eq!(told("/a\\b"), "the path has the byte 0x5c at byte 2: it has to be percent-encoded");
}

/// Ways to write `/admin/users` and `/public` that a guard must see through, and what is found and forwarded.
#[test]
fn no_encoding_leads_past_a_guard() {
    let table = table(&[
        service("public", 1, &["PathPrefix(/)"]),
        service("admin", 2, &["PathPrefix(/admin)"]),
        service("secret", 3, &["Path(/public/secret)"]),
    ]);
    for path in [
        "/admin/users",
        "/%61dmin/users",
        "/public/../admin/users",
        "/public/%2e%2e/admin/users",
        "/public/.%2e/%61%64%6d%69%6e/users",
        "/./admin/users",
        "/%2e/admin//users",
        "/admin/./x/../users",
        "/../admin",
    ] {
        check(&table, &format!("GET x{path}"), "admin/1");
    }
    for path in ["/public/secret", "/public/%73ecret", "/public/x/../secret", "/admin/../public/secret"] {
        check(&table, &format!("GET x{path}"), "secret/1");
    }
    for path in ["/", "/adminx", "//admin", "/admin/../public", "/ADMIN", "/%2561dmin", "/public/secret/"] {
        check(&table, &format!("GET x{path}"), "public/1");
    }
    for path in [
        "/public/..%2fadmin",
        "/public/..;/admin",
        "/public\\..\\admin",
        "/admin%00",
        "/admin%3bx",
        "/x%23/../admin",
    ] {
        assert!(normalise(path).is_err(), "{path}");
    }
}
