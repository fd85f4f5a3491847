//! A root is rotated under workloads that talk all the time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::{request, write_ca};
use crate::ca::{
    AuthorityConfig, CaAuthority, DirStore, FileAuthority, Material, Phase, RotationPolicy, ServerNames,
};
use crate::fixture::{HOUR, MINUTE, Wall, handshake, id};
use crate::{CertificateAuthority, WorkloadCertificate};

/// A CA whose phases last a day, and its clock.
async fn open(dir: &Path) -> (CaAuthority, Wall) {
    let wall = Wall::new();
    (open_at(dir, &wall).await, wall)
}

async fn open_at(dir: &Path, wall: &Wall) -> CaAuthority {
    let config = AuthorityConfig {
        rotation: RotationPolicy { overlap: DAY, keep: 0.8 },
        poll: Duration::ZERO,
        clock: wall.clock(),
    };
    CaAuthority::open_or_create(Arc::new(DirStore::new(dir)), config).await.unwrap()
}

/// What a node makes of the CA's answer, with all its checks.
async fn certificate(ca: &CaAuthority, account: &str, wall: &Wall) -> WorkloadCertificate {
    let (identity, request) = (id(account), crate::request::KeyAndRequest::new(&id(account)).unwrap());
    let answer = ca.sign(request.csr_der, identity.clone(), DAY).await.unwrap();
    let context =
        crate::tls::Context::new(wall.clock(), Arc::new(crate::revocation::Revocations::open(None).unwrap()));
    WorkloadCertificate::new(identity, request.key, answer, &context).unwrap()
}

fn talk(client: &WorkloadCertificate, server: &WorkloadCertificate) {
    let expected = [server.identity().clone()];
    handshake(client.client_config(&expected), server.server_config()).expect("they trust each other");
}

/// Hour by hour, with the oldest certificate that may still be in use, one that is half through, and a new one, in
/// both directions: nobody is ever refused.
#[tokio::test]
async fn through_a_whole_rotation_all_living_certificates_trust_each_other() {
    let temp = TempDir::new().unwrap();
    let (ca, wall) = open(&temp.path().join("ca")).await;
    let first_root = ca.roots_pem();
    let mut living = Vec::new();
    let mut phases = vec![ca.phase()];
    for hour in 0..100 {
        if hour == 30 {
            assert!(matches!(ca.rotate().await.unwrap(), Some(Phase::Announced { .. })));
        }
        ca.advance().await.unwrap();
        if phases.last() != Some(&ca.phase()) {
            phases.push(ca.phase());
        }
        living.push(certificate(&ca, "web", &wall).await);
        living.retain(|held| held.not_after() >= wall.now());
        for index in [0, living.len() / 2, living.len() - 1] {
            let (old, new) = (&living[index], living.last().unwrap());
            talk(old, new);
            talk(new, old);
        }
        wall.pass(HOUR);
    }
    let shape: Vec<_> = phases.iter().map(std::mem::discriminant).collect();
    let since = wall.now();
    let [stable, announced, switched] =
        [Phase::Stable, Phase::Announced { since }, Phase::Switched { since }]
            .map(|p| std::mem::discriminant(&p));
    assert_eq!(shape, [stable, announced, switched, stable]);
    assert_ne!(ca.roots_pem(), first_root);
    assert_eq!(ca.roots_pem().matches("BEGIN").count(), 1, "the old root is gone");
}

#[tokio::test]
async fn replicas_follow_and_only_one_step_is_taken() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("ca");
    let (one, wall) = open(&dir).await;
    let two = open_at(&dir, &wall).await;
    let mut told = two.changes();
    let asked = (one.rotate(), two.rotate());
    let answers = tokio::join!(asked.0, asked.1);
    assert_eq!([answers.0, answers.1].iter().filter(|a| matches!(a, Ok(Some(_)))).count(), 1);
    two.refresh().await.unwrap();
    one.refresh().await.unwrap();
    assert!(told.has_changed().unwrap() && one.roots_pem() == two.roots_pem());
    told.mark_unchanged();
    wall.pass(DAY);
    let steps = tokio::join!(one.advance(), two.advance());
    assert_eq!([steps.0.unwrap(), steps.1.unwrap()].iter().flatten().count(), 1);
    one.refresh().await.unwrap();
    two.refresh().await.unwrap();
    assert!(matches!(one.phase(), Phase::Switched { .. }) && one.phase() == two.phase());
    // A replica that starts now finds the rotation where it is.
    assert_eq!(open_at(&dir, &wall).await.phase(), one.phase());
    // And so does an agent that reads the directory itself.
    let file = FileAuthority::open_or_create_at(&dir, wall.clock()).unwrap();
    assert_eq!(file.sign(request(), id("web"), HOUR).await.unwrap().roots.len(), 2);
}

/// What a replica signs before it looks at the store again lives longer than the phase, but for this.
#[tokio::test]
async fn a_phase_waits_for_replicas_that_look_late() {
    let temp = TempDir::new().unwrap();
    let wall = Wall::new();
    let config = AuthorityConfig {
        rotation: RotationPolicy { overlap: DAY, keep: 0.8 },
        poll: MINUTE,
        clock: wall.clock(),
    };
    let store = Arc::new(DirStore::new(temp.path().join("ca")));
    let ca = CaAuthority::open_or_create(store, config).await.unwrap();
    ca.rotate().await.unwrap();
    wall.pass(DAY + MINUTE);
    assert_eq!(ca.advance().await.unwrap(), None);
    wall.pass(MINUTE);
    assert!(matches!(ca.advance().await.unwrap(), Some(Phase::Switched { .. })));
}

#[tokio::test]
async fn the_last_fifth_of_a_roots_life_begins_a_rotation_by_itself() {
    let temp = TempDir::new().unwrap();
    let (ca, wall) = open(&temp.path().join("ca")).await;
    wall.pass(DAY * 365 * 7);
    assert_eq!(ca.advance().await.unwrap(), None);
    wall.pass(DAY * 365 + DAY);
    assert!(matches!(ca.advance().await.unwrap(), Some(Phase::Announced { .. })));
    assert!(ca.rotate().await.unwrap_err().to_string().contains("under way already"));
}

#[tokio::test]
async fn a_users_intermediate_is_never_rotated() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("ca");
    let wall = Wall::new();
    let root = crate::fixture::TestCa::root("acme", wall.now());
    let middle = root.intermediate("mesh", wall.now());
    let certificate = crate::certificate::pem("CERTIFICATE", &middle.certificate);
    let key = middle.issuer.key().serialize_pem();
    write_ca(
        &dir,
        &certificate,
        &key,
        &certificate,
        &crate::certificate::pem("CERTIFICATE", &root.certificate),
    );
    let ca = open_at(&dir, &wall).await;
    let before = ca.roots_pem();
    let said = ca.rotate().await.unwrap_err().to_string();
    assert!(said.contains("intermediate of somebody's own CA"), "{said}");
    wall.pass(900 * HOUR);
    assert_eq!(ca.advance().await.unwrap(), None);
    assert_eq!(ca.roots_pem(), before);
}

#[tokio::test]
async fn a_broken_store_leaves_the_ca_in_use() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("ca");
    let (ca, wall) = open(&dir).await;
    let other = Material::generate(wall.now()).unwrap();
    super::write_key(&dir, &other.ca_key);
    let said = ca.refresh().await.unwrap_err().to_string();
    assert!(said.contains("does not belong to"), "{said}");
    ca.sign(request(), id("web"), HOUR).await.unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    let said = ca.refresh().await.unwrap_err().to_string();
    assert!(said.contains("was it deleted?"), "{said}");
    ca.sign(request(), id("web"), HOUR).await.unwrap();
}

#[tokio::test]
async fn a_half_written_rotation_is_refused_by_name() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("ca");
    let (ca, wall) = open(&dir).await;
    ca.rotate().await.unwrap();
    let spoil = [("rotation.json", "{}", "rotation.json"), ("next-key.pem", "x", "next-key.pem")];
    for (name, content, said) in spoil {
        let good = std::fs::read(dir.join(name)).unwrap();
        std::fs::write(dir.join(name), content).unwrap();
        let config = AuthorityConfig { clock: wall.clock(), ..AuthorityConfig::default() };
        let opened = CaAuthority::open_or_create(Arc::new(DirStore::new(&dir)), config).await;
        let error = opened.err().unwrap().to_string();
        assert!(error.contains(said), "{error}");
        std::fs::write(dir.join(name), good).unwrap();
    }
}

#[tokio::test]
async fn a_servers_certificate_has_its_names_and_nothing_more() {
    let temp = TempDir::new().unwrap();
    let (ca, wall) = open(&temp.path().join("ca")).await;
    let names = ServerNames {
        dns: vec!["weir-controller.weir-system.svc".to_owned()],
        ips: vec!["::1".parse().unwrap()],
    };
    let made = ca.server_credentials(&names, DAY).unwrap();
    assert_eq!(made.renew_at, wall.now() + DAY / 2);
    let leaf = webpki::EndEntityCert::try_from(&made.chain[0]).unwrap();
    assert!(crate::peer_identity(&made.chain).is_err(), "it is no workload");
    let names: Vec<_> = leaf.valid_dns_names().collect();
    assert_eq!(names, ["weir-controller.weir-system.svc"]);
    let bad = ServerNames { dns: vec!["ä".to_owned()], ips: Vec::new() };
    assert!(ca.server_credentials(&bad, DAY).is_err());
}

const DAY: Duration = Duration::from_secs(24 * 3600);
