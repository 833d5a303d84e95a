"""Where messages go: a mail server, or an address that takes them by POST."""

import smtplib
import ssl
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from c360.alerts.messages import Message
from c360.alerts.rules import Mail, Receiver
from lakehouse.activation.contract import Webhook, secret_of
from lakehouse.activation.targets import Refused, Unreachable, Unusable
from lakehouse.activation.targets.webhook import no_such_address, posting
from lakehouse.errors import Stop
from lakehouse.settings import Settings

# Brings a message to its receiver; returns what did not go as it should, or nothing.
Deliver = Callable[[Message], str]


def deliver_to(settings: Settings, receiver: Receiver, at: datetime) -> Deliver:
    """Brings messages to a receiver.

    What it returns raises `Unreachable` if the target does not answer or cannot now, `Refused` if it does not take the
    message, `Unusable` if secret, address or server are not what the rules say.
    """
    target = receiver.target
    if isinstance(target, Webhook):
        return lambda message: _post(settings, target, message)
    return lambda message: _mail(settings, target, message, at)


def mail_of(message: Message, target: Mail, at: datetime) -> EmailMessage:
    """The message as mail, plain text and HTML; sent again it has the same `Message-ID`."""
    mail = EmailMessage(SMTP)
    mail["Subject"] = message.subject
    mail["From"] = target.sender
    mail["To"] = ", ".join(target.to)
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{message.id}@{target.sender.partition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # so that nobody's absence is answered to it (RFC 3834)
    mail["Content-Language"] = message.language
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    return mail


def _mail(settings: Settings, target: Mail, message: Message, at: datetime) -> str:
    login = _login(settings, target)
    with _connected(target) as server:
        if login:
            server.login(*login)
        refused = server.send_message(mail_of(message, target, at))
    return f"{len(refused)} of {len(target.to)} addresses were refused" if refused else ""


def _login(settings: Settings, target: Mail) -> tuple[str, str] | None:
    if target.credential is None:
        return None
    user, colon, password = secret_of(settings, target.credential).partition(":")
    if not colon:
        raise Stop(f"secret {target.credential}: no colon in it", "write user:password")
    return user, password


@contextmanager
def _connected(target: Mail) -> Generator[smtplib.SMTP]:
    """A session with the server; what goes wrong in it becomes an error of `deliver_to`, without what was sent."""
    place = f"{target.host}:{target.port}"
    context = ssl.create_default_context()
    try:
        if target.security == "tls":
            session = smtplib.SMTP_SSL(target.host, target.port, timeout=target.seconds, context=context)
        else:
            session = smtplib.SMTP(target.host, target.port, timeout=target.seconds)
        with session as server:
            if target.security == "starttls":
                server.starttls(context=context)
            yield server
    except smtplib.SMTPNotSupportedError as error:
        raise Unusable(f"{place} does not offer what security and credential ask for", "correct the target") from error
    except smtplib.SMTPAuthenticationError as error:
        raise Unusable(f"{place} does not admit the login: {error.smtp_code}", "correct the secret") from error
    except ssl.SSLCertVerificationError as error:
        remedy = "correct `host`, or set SSL_CERT_FILE to the authority that signed it"
        raise Unusable(f"{place} has no certificate that is trusted: {error.verify_message}", remedy) from error
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted({code for code, _ in error.recipients.values()})
        raise _by_code(place, max(codes)) from error
    except smtplib.SMTPResponseException as error:
        raise _by_code(place, error.smtp_code) from error
    except OSError as error:  # what is left of smtplib's errors, too
        raise Unreachable(f"{place}: {type(error).__name__}") from error


def _by_code(place: str, code: int) -> Exception:
    """4xx and broken answers may pass; 5xx do not (RFC 5321)."""
    return Refused(f"{place} answers {code}") if 500 <= code < 600 else Unreachable(f"{place} answers {code}")


def _post(settings: Settings, target: Webhook, message: Message) -> str:
    with posting(settings, target) as post:
        answer = post(message.document, message.id)
    if answer.status_code == 404:
        raise no_such_address(target.url, 404)
    if not answer.is_success:
        raise Refused(f"{target.url} answers {answer.status_code}")
    return ""
