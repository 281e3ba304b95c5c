use super::*;

fn good(text: &str) -> Rule {
    let mut faults = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(faults.rules.len(), 1);
    faults.rules.remove(0)
}

#[test]
fn every_fault_is_read() {
    let client = Some(Pattern::new("client"));
    let route = Route { from: client.clone(), to: Some(Pattern::new("3")), event: None };
    let rule = good("drop:from=client,to=3,p=0.25,max=2");
    assert_eq!(rule.fault, Fault::Drop(route));
    assert_eq!(rule.when, When { probability: 0.25, max: Some(2), ..When::default() });

    let rule = good(" delay : event = ping , by = 1ms..2.5ms , nth = 3 ");
    let route = Route { event: Some("ping".into()), ..Route::default() };
    let (least, most) = (Span::from_millis(1), Span::from_micros(2500));
    assert_eq!(rule.fault, Fault::Delay { route, least, most });
    assert_eq!(rule.when.nth, Some(3));

    assert_eq!(good("duplicate").fault, Fault::Duplicate(Route::default()));
    let within = Span::from_millis(10);
    assert_eq!(good("reorder").fault, Fault::Reorder { route: Route::default(), within });
    let process = || Pattern::new("node*");
    let signal = Signal::SIGTERM;
    assert_eq!(
        good("kill:process=node*,at=7,signal=TERM").fault,
        Fault::Kill { process: process(), at: Some(7), signal }
    );
    let span = Some(Span::from_secs(1));
    assert_eq!(
        good("stop:process=node*,for=1s").fault,
        Fault::Stop { process: process(), at: None, span }
    );
    assert_eq!(
        good("skew:process=node*,by=-5us").fault,
        Fault::Skew { process: process(), ahead: -5000 }
    );
    assert_eq!(
        good("fail:call=send_event,errno=EAGAIN").fault,
        Fault::Fail { process: Pattern::new("*"), call: Some("send_event"), errno: Errno::EAGAIN }
    );
}

#[test]
fn rules_stand_on_lines_or_between_semicolons() {
    let text = "# all of it\n\ndrop ; duplicate:p=0.5 # some\n  kill:process=1\n";
    let words: Vec<_> = parse(text).unwrap().rules.iter().map(|rule| rule.fault.word()).collect();
    assert_eq!(words, ["drop", "duplicate", "kill"]);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, place, message) in [
        ("", (1, 1), "there is no fault"),
        ("# nothing\n", (1, 1), "there is no fault"),
        ("drop;dorp:p=1", (1, 6), "no fault \"dorp\"; did you mean \"drop\"?"),
        ("drop\n é; form", (2, 2), "no fault \"é\""),
        ("drop:form=a", (1, 6), "no key of drop \"form\"; did you mean \"from\"?"),
        ("drop:p", (1, 6), "\"p\" is no key=value"),
        ("drop:p=1,p=0", (1, 10), "\"p\" is given twice"),
        ("drop:p=1.5", (1, 8), "bad p \"1.5\": it is a probability"),
        ("drop:p=NaN", (1, 8), "bad p \"NaN\""),
        ("drop:nth=0", (1, 10), "bad nth \"0\": it is a whole number from 1 on"),
        ("drop:from=", (1, 11), "bad from"),
        ("delay:p=1", (1, 1), "delay needs by, such as by=5ms"),
        ("delay:by=5", (1, 10), "bad by \"5\": it is a duration"),
        ("delay:by=5ms..1ms", (1, 10), "bad by"),
        ("kill:at=3", (1, 1), "kill needs process"),
        ("kill:process=a,signal=BANG", (1, 23), "bad signal \"BANG\""),
        ("stop:process=a,for=ever", (1, 20), "bad for \"ever\""),
        ("skew:process=a", (1, 1), "skew needs by"),
        ("skew:process=a,p=1", (1, 16), "no key of skew \"p\""),
        ("fail:errno=EAGIAN", (1, 12), "did you mean \"EAGAIN\"?"),
        ("fail:call=exit,errno=EIO", (1, 11), "no call \"exit\""),
        ("fail:call=send,errno=EIO", (1, 11), "no call \"send\""),
        ("fail:call=wait", (1, 1), "fail needs errno"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!((error.line, error.column), place, "{text:?}: {error}");
        assert!(error.message.contains(message), "{text:?}: {error}");
    }
}
