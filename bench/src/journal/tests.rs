use super::Journal;

#[test]
fn a_quick_run_tells_every_figure() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal { dir: Some(dir.path().to_owned()), quick: true };
    let told = journal.run(&mut |_| {}).unwrap();
    assert_eq!(told.schema(), "uncross.bench.journal/1");
    let body = told.body();
    for name in [
        "append_ratio",
        "durable_ratio",
        "group_bytes_ratio",
        "replay_ratio",
        "write_amplification",
        "write_amplification_100",
        "append_ns",
        "append_floor_ns",
        "acknowledged_p50_us",
        "write_64k_p50_us",
        "group_mb_per_s",
        "write_1m_mb_per_s",
        "replay_commands_per_s",
        "engine_commands_per_s",
    ] {
        let value = body[name].as_f64().unwrap_or_default();
        // A ratio has three places: on a machine that stood still it may be none.
        let is_there = 0.0 < value || name.ends_with("_ratio") && body[name] == 0.0;
        assert!(is_there && value.is_finite(), "{name}: {}", body[name]);
    }
    assert_eq!(body["goals"].as_object().unwrap().len(), 5);
    assert!(told.json().contains(r#""schema":"uncross.bench.journal/1""#));
    assert!(told.text().contains("goal <= 1.6"), "{}", told.text());
    // Nothing is left behind.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
