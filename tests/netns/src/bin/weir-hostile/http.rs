//! HTTP/1 as nobody should speak it.

use std::io;

use crate::link::Link;

pub(crate) fn huge_head(mut link: Link) -> io::Result<()> {
    link.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")?;
    let line = format!("X-Filler: {}\r\n", "y".repeat(1000));
    for _ in 0..1000 {
        link.send(line.as_bytes())?;
    }
    link.outlast()
}

pub(crate) fn methods(mut link: Link) -> io::Result<()> {
    let deep = "/..%2f".repeat(500);
    for (method, target) in [
        ("BREW", "/metrics"),
        ("TRACE", "*"),
        ("CONNECT", "localhost:15012"),
        ("DELETE", "/debug/status"),
        ("PRI", "*"),
        ("GET", "http://other.example/metrics"),
        ("GET", &deep),
        ("POST", "/logging?level=%00%ff=="),
        ("OPTIONS", "*"),
    ] {
        link.send(format!("{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())?;
        link.receive(&mut [0; 4096])?;
    }
    // Two lengths, and a chunk with a size of its own.
    link.send(b"POST /logging HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n")?;
    link.receive(&mut [0; 4096]).map(drop)
}

pub(crate) fn huge_body(mut link: Link) -> io::Result<()> {
    link.send(b"POST /logging?level=info HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n")?;
    while !link.is_over() {
        link.send(&[0; 65_536])?;
    }
    Ok(())
}

pub(crate) fn unread(mut link: Link) -> io::Result<()> {
    let many = "GET /debug/resources HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    while !link.is_over() {
        link.send(many.as_bytes())?;
    }
    Ok(())
}

/// Each on a connection of its own: after most of them the other side closes.
pub(crate) fn reviews(open: impl Fn() -> io::Result<Link>) -> io::Result<()> {
    let deep = "[".repeat(1_000_000);
    let wide =
        format!("{{\"apiVersion\":\"admission.k8s.io/v1\",\"request\":[{}0]}}", "0,".repeat(2_000_000));
    let policy = "{\"apiVersion\":\"security.istio.io/v1\",\"kind\":\"AuthorizationPolicy\",\"metadata\":{\"name\":\"x\"},";
    let rules = "{\"from\":[{\"source\":{\"ipBlocks\":[\"10.0.0.0/8\"]}}]},".repeat(30_000);
    let many = format!(
        "{{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\",\"request\":{{\"uid\":\"1\",\"operation\":\"CREATE\",\
         \"object\":{policy}\"spec\":{{\"rules\":[{}{{}}]}}}}}}}}",
        rules
    );
    for body in [deep, wide, many, "\u{0}".repeat(8_000_000)] {
        let mut link = open()?;
        link.send(
            format!("POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len())
                .as_bytes(),
        )?;
        // It may be refused before it is sent.
        let sent = link.send(body.as_bytes());
        if link.is_over() {
            return Ok(());
        }
        let _ = sent.and_then(|()| link.receive(&mut [0; 4096]));
    }
    Ok(())
}

pub(crate) fn slow_body(mut link: Link) -> io::Result<()> {
    link.send(b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")?;
    link.drip(b"{\"a\": ")
}
