//! The box office under simulation: any interleaving of guests, a power cut at any moment.

use std::time::Duration;

use booking::BoxOffice;
use stormproof_test::{Client, Result, World};

#[stormproof_test::simulation]
fn the_books_agree_and_every_mail_is_true(world: World) -> Result {
    let db = world.open()?;
    let run = db.begin_run()?;
    let office = BoxOffice::open(&db, run, 5)?;
    office.audit(run)?;
    for mail in world.promised() {
        office.check_mail(&mail)?;
    }
    world.clients(3, |client| guest(client, &office, client.run(&db)?))?;
    office.audit(run)?;
    Ok(())
}

/// Holds seats and pays for them, or buys at the door, and gets mails. The guest's phone is slow by some
/// milliseconds.
fn guest(client: &Client, office: &BoxOffice, run: stormproof::RunId) -> Result {
    let (world, mut random) = (client.world(), client.random());
    let slow = Duration::from_millis(random.below(12));
    let tell = |mail: &str| client.promise(mail);
    for item in client.todo(3) {
        let name = format!("{}/{item}", client.name());
        if random.chance(30) {
            office.sell_at_the_door(run, &name, &tell)?;
        } else if let Some(mut hold) = office.hold(run, &name, world.now())? {
            // The guest looks for a purse, and may take longer than the seat is held.
            world.sleep(Duration::from_millis(random.below(16)));
            if office.renew(run, &mut hold, world.now().saturating_sub(slow))? {
                office.pay(run, &hold, &tell)?;
            }
        }
        office.send_mails(run, &tell)?;
    }
    Ok(())
}
