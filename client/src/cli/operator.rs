//! `pay-out`, `withdraw-certificate`: what the operator signs about money and certificates.

use parkwatt_client::v1::command::Kind;
use parkwatt_client::v1::{self, outcome, pay_out::Amount};
use serde_json::json;

use super::args::{Options, PayOut, WithdrawCertificate};
use super::desk::Desk;
use super::quantity::amount_text;
use super::report::{Failure, Report, certificate_id};
use super::unlock::signing_key;

/// Pays money out of a participant's account: an amount, or all of it.
pub async fn pay_out(pay_out: &PayOut, options: &Options) -> Result<Report, Failure> {
    let desk = Desk::open(options).await?;
    let amount = pay_out.amount.map_or(Amount::All(true), Amount::AmountFen);
    let name = &pay_out.from;
    let command = Kind::PayOut(v1::PayOut { participant: name.clone(), amount: Some(amount) });
    let (outcome::Kind::PaidOutFen(fen), receipt) =
        desk.submit(&signing_key(&pay_out.operator_key, options)?, command).await?
    else {
        return Err(desk.incomplete("the amount that was paid out"));
    };
    let emptied = if pay_out.all { "\nNothing is left in it." } else { "" };
    Ok(Report {
        json: json!({ "paid_out": {
            "participant": name,
            "amount_fen": fen,
            "all": pay_out.all,
            "leaf_index": receipt.leaf_index,
        } }),
        text: format!("{} paid out of the account of {name}.{emptied}", amount_text(fen)),
        refused: false,
        csv: None,
    })
}

/// Withdraws a certificate that a correction contradicts.
pub async fn withdraw_certificate(
    withdrawal: &WithdrawCertificate,
    options: &Options,
) -> Result<Report, Failure> {
    let desk = Desk::open(options).await?;
    let WithdrawCertificate { certificate, reason, operator_key } = withdrawal;
    let command = Kind::WithdrawCertificate(v1::WithdrawCertificate {
        certificate: Some(*certificate),
        reason: reason.clone(),
    });
    let (outcome::Kind::CertificateWithdrawn(_), receipt) =
        desk.submit(&signing_key(operator_key, options)?, command).await?
    else {
        return Err(desk.incomplete("the withdrawal"));
    };
    let name = certificate_id(certificate);
    Ok(Report {
        json: json!({ "certificate_withdrawn": {
            "certificate_id": name,
            "reason": reason,
            "leaf_index": receipt.leaf_index,
        } }),
        text: format!(
            "Certificate {name} is withdrawn, and everything that depended on it is void. For what the current \
             readings say a new one is issued."
        ),
        refused: false,
        csv: None,
    })
}
