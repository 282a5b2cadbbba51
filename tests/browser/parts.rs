//! The page's arithmetic, checked in the browser that does it: hashes, wire form, amounts, and the auction's proof.

use serde_json::{Value, json};

use super::devtools::Browser;

/// Checks hashes against RFC 6962's own examples, amounts against exact ones, and the decoder against bytes by hand.
pub fn check_arithmetic(browser: &mut Browser) {
    let said = browser.value(
        "Promise.all(['proof', 'money', 'wire', 'note'].map((it) => import(`./assets/${it}.js`))).then(
           async ([proof, money, wire, note]) => {
             const leaf = (text) => proof.leafHash(new TextEncoder().encode(text));
             const node = (one, other) => proof.sha256(Uint8Array.of(1), one, other);
             const leaves = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(leaf));
             const ab = await node(leaves[0], leaves[1]); const cd = await node(leaves[2], leaves[3]);
             const abcd = await node(ab, cd); const root = await node(abcd, leaves[4]);
             const leads = async (index, size, path) => proof.toHex(
               await proof.rootOf(leaves[index], index, size, path).catch(() => new Uint8Array())) === proof.toHex(root);
             const forms = await wire.loadContract();
             const bytes = Uint8Array.of(0x08, 0x96, 0x01, 0x22, 0x02, 0x08, 0x05);
             return {
               empty: proof.toHex(await proof.leafHash(new Uint8Array())),
               paths: [await leads(1, 5, [leaves[0], cd, leaves[4]]), await leads(4, 5, [abcd]),
                 await leads(1, 5, [leaves[0], cd]), await leads(1, 5, [leaves[0], cd, leaves[4], leaves[4]]),
                 await leads(0, 5, [leaves[0], cd, leaves[4]]), await leads(5, 5, [abcd])],
               amounts: [money.sum('9007199254740993.000000001', '-0.000000002'), money.kwh('18446744073709551615'),
                 money.price('-391000'), money.percent('1', '3'), money.scaled(-5n, 3), money.yuan('-0.005', 2)],
               decoded: JSON.stringify(wire.decode(bytes), (_, it) => typeof it === 'bigint' ? String(it) : it),
               cut: (() => { try { wire.decode(bytes.slice(0, 6)); return 'read'; } catch (it) { return it.message; } })(),
               key: await note.parseVkey('parkwatt/park+00000000+AdfIXbAfPxMBm8D6KIbMtGAzSUobtqE2ixDzHpf5jmEf')
                 .then(() => 'taken', (it) => it.message),
               tick: Object.keys(forms.messages.Tick).length,
             };
           })",
    );
    // The hash of an empty leaf, as RFC 6962's reference implementation has it.
    assert_eq!(said["empty"], "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    assert_eq!(said["paths"], json!([true, true, false, false, false, false]));
    let amounts = json!([
        "9007199254740992.999999999",
        "18,446,744,073,709,551.6",
        "-0.391",
        "33.3 %",
        "-0.005",
        "-0.01"
    ]);
    assert_eq!(said["amounts"], amounts);
    assert_eq!(said["decoded"], r#"{"at_micros":"150","tick":{"events":5}}"#);
    assert_eq!(said["cut"], "the bytes are no entry");
    assert_eq!(said["key"], "the key does not belong to its number");
    assert_eq!(said["tick"], 1);
}

/// Checks the proofs of all the day's auctions, and that a result of which a number is another one is refused.
pub fn check_every_auction(browser: &mut Browser) {
    let said = browser.value(
        "Promise.all(['api', 'auction', 'tariff'].map((it) => import(`./assets/${it}.js`))).then(
           async ([api, { checkAuction, Flaw }, { tariffIn }]) => {
             const market = await api.read('MarketData/GetMarket');
             const day = await api.read('MarketData/GetDay');
             const said = { held: 0, traded: 0, hold: 0, changes: 0, slipped: [] };
             for (let slot = day.first_slot; slot < day.first_slot + day.slots; slot += 1) {
               const auction = await api.read('MarketData/GetAuction', { slot });
               if (!auction.result) continue;
               const level = (side) => (it) => ({ side, zone: it.zone,
                 limit: BigInt(it.limit_price_micros_per_kwh), energy: BigInt(it.energy_wh) });
               const orders = [...auction.bids.map(level('bid')), ...auction.offers.map(level('offer'))];
               const { zones, fee } = tariffIn(market, slot);
               const holds = (result, all = orders) => {
                 try { return checkAuction(all, zones, fee, result).passedOver === 0n; }
                 catch (it) { if (it instanceof Flaw) return false; throw it; } };
               said.held += 1;
               said.traded += auction.result.energy_wh === '0' ? 0 : 1;
               said.hold += holds(auction.result) ? 1 : 0;
               if (auction.result.energy_wh === '0') continue;
               const slips = (what, result, all) => { said.changes += 1; if (holds(result, all)) said.slipped.push([slot, what]); };
               for (const list of ['exports_wh', 'rents_micros_per_kwh']) {
                 auction.result[list].forEach((number, place) => [-100n, 100n].forEach((by) => slips(list, { ...auction.result,
                   [list]: auction.result[list].with(place, String(BigInt(number) + by)) })));
               }
               slips('no prices', { ...auction.result, prices_micros_per_kwh: [] });
               slips('much more energy', { ...auction.result, energy_wh: '100000000' });
               // Somebody else would have sold for nothing, and was left out.
               slips('a better offer', auction.result, [...orders, { side: 'offer', zone: zones[0].name, limit: 0n, energy: 1n }]);
             }
             return said;
           })",
    );
    assert_eq!(said["hold"], said["held"], "{said}");
    assert!(said["held"].as_u64() == Some(96) && said["traded"].as_u64() > Some(40), "{said}");
    assert!(said["changes"].as_u64() > Some(500), "{said}");
    assert_eq!(said["slipped"], Value::from(Vec::<Value>::new()), "{said}");
}
