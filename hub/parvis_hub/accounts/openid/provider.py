"""What a provider says of itself, its keys, and the one thing that it is asked: a token for a code."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import quote_plus

import httpx
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .identity import Identity, identity_of
from .settings import OpenIdSettings, private
from .tokens import NotAccepted, Refusal

#: Somebody waits before the page.
_TIMEOUT_S = 10.0
#: Configurations and sets of keys have a few kilobytes.
_MOST_BYTES = 256_000
#: So long the provider's word about itself and its keys is taken; a new key is fetched as soon as a token names it.
_KEPT_S = 3_600.0
#: But not more often than this, or whoever invents names of keys would have the hub ask without end; nor is one that does not answer.
_AGAIN_S = 10.0

_Url = Annotated[str, Field(max_length=2_000)]
T = TypeVar("T")


class _Metadata(BaseModel):
    """What of the provider's configuration counts here (OpenID Connect Discovery 1.0, 3; RFC 9207)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    issuer: str
    authorization_endpoint: _Url
    token_endpoint: _Url
    jwks_uri: _Url
    end_session_endpoint: _Url | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    code_challenge_methods_supported: tuple[str, ...] | None = None
    authorization_response_iss_parameter_supported: bool = False


class _Remembered(Generic[T]):
    """One thing that the provider says: asked for when it is needed and old, and not with every call while it cannot be had."""

    def __init__(self, ask: Callable[[], T], monotonic_s: Callable[[], float]) -> None:
        self._ask = ask
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._found: tuple[float, T] | None = None
        self._failed: tuple[float, NotAccepted] | None = None

    def get(self, at_most_s: float = _KEPT_S) -> T:
        """What it says, heard at most so long ago."""
        with self._lock:
            now_s = self._monotonic_s()
            if self._found is not None and now_s - self._found[0] < at_most_s:
                return self._found[1]
            if self._failed is not None and now_s - self._failed[0] < _AGAIN_S:
                raise NotAccepted(self._failed[1].refusal, str(self._failed[1]))
            try:
                found = self._ask()
            except NotAccepted as error:
                self._failed = now_s, error
                raise
            self._found, self._failed = (now_s, found), None
            return found


class Provider:
    """Asks the provider; from any thread."""

    def __init__(self, settings: OpenIdSettings, secret: str | None, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        """Asks nothing yet: a provider that is away is no reason not to start.

        Raises:
            OSError: The file of who signed its certificate cannot be used.
        """
        self.settings = settings
        self._secret = secret
        trusted = ssl.create_default_context(cafile=settings.ca_file) if settings.ca_file else True
        # What leads elsewhere is not followed, and no proxy is taken from the environment.
        self._client = httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False, verify=trusted, trust_env=False)
        self._metadata = _Remembered(self._discovered, monotonic_s)
        self._keys = _Remembered(self._listed, monotonic_s)

    def metadata(self) -> _Metadata:
        """Its configuration.

        Raises:
            NotAccepted: It does not answer, or what it says cannot be used.
        """
        return self._metadata.get()

    def _discovered(self) -> _Metadata:
        try:
            found = _Metadata.model_validate(self._get(self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration"))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise NotAccepted(Refusal.UNREACHABLE, f"the provider's configuration: {first['loc']}: {first['msg']}") from None
        if found.issuer != self.settings.issuer:
            raise NotAccepted(Refusal.UNREACHABLE, f"the provider calls itself {found.issuer[:200]}; write `issuer` so, if that is right")
        for url in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri, found.end_session_endpoint):
            if url is not None and not private(url):
                raise NotAccepted(Refusal.UNREACHABLE, f"the provider's address {url[:200]} can be listened to")
        methods = found.code_challenge_methods_supported
        if methods is not None and "S256" not in methods:
            raise NotAccepted(Refusal.UNREACHABLE, "the provider knows no PKCE with S256")
        return found

    def identity(self, code: str, verifier: str, nonce: str, now_s: float) -> Identity:
        """Who somebody is, for the code with which they came back.

        Raises:
            NotAccepted: With the reason.
        """
        token = self._token(code, verifier)
        return self.checked(lambda keys: identity_of(token, keys, self.settings, nonce, now_s))

    def checked(self, read: Callable[[KeySet], T]) -> T:
        """What is read from a token with the provider's keys, which are fetched anew if it names one that is not among them.

        Args:
            read: Checks and reads the token; called once more with the new keys.

        Raises:
            NotAccepted: With the reason.
        """
        for at_most_s in (_KEPT_S, _AGAIN_S):
            try:
                return read(self._keys.get(at_most_s))
            except InvalidKeyIdError:
                continue
        raise NotAccepted(Refusal.NOT_TRUSTED, "the token is signed with a key that the provider does not list")

    def _token(self, code: str, verifier: str) -> str:
        settings, metadata = self.settings, self.metadata()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": settings.returning, "code_verifier": verifier}
        auth = None
        if self._secret is None or "client_secret_basic" not in metadata.token_endpoint_auth_methods_supported:
            form["client_id"] = settings.client_id
            if self._secret is not None:
                form["client_secret"] = self._secret
        else:
            # RFC 6749, 2.3.1: both are written as in a form first.
            auth = httpx.BasicAuth(quote_plus(settings.client_id), quote_plus(self._secret))
        answer = self._asked("POST", metadata.token_endpoint, data=form, auth=auth)
        token = answer.get("id_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise NotAccepted(Refusal.NOT_TRUSTED, "the provider gave no ID token for the code")
        return token

    def _listed(self) -> KeySet:
        try:
            return KeySet.import_key_set(self._get(self.metadata().jwks_uri))
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise NotAccepted(Refusal.UNREACHABLE, f"the provider's keys cannot be read: {type(error).__name__}") from None

    def _get(self, url: str) -> Any:
        return self._asked("GET", url)

    def _asked(self, method: str, url: str, **more: Any) -> Any:
        """The answer as JSON. What it says of an error is no reason to show anybody a token or a code."""
        try:
            with self._client.stream(method, url, headers={"accept": "application/json"}, **more) as answer:
                body = b""
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise NotAccepted(Refusal.UNREACHABLE, f"{url} answers with more than {_MOST_BYTES} bytes")
                if method == "POST" and 400 <= answer.status_code < 500:
                    raise NotAccepted(Refusal.NOT_TRUSTED, f"the provider takes neither code nor client: {answer.status_code}")
                if answer.status_code != 200:
                    raise NotAccepted(Refusal.UNREACHABLE, f"{url} answers {answer.status_code}")
            return httpx.Response(200, content=body).json()
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            raise NotAccepted(Refusal.UNREACHABLE, f"{url} does not answer: {error}") from None
        except ValueError:
            raise NotAccepted(Refusal.UNREACHABLE, f"{url} does not answer with JSON") from None

    def leaving(self) -> str | None:
        """Where a browser ends its session with the provider too (OpenID Connect RP-Initiated Logout 1.0); None if that is not known."""
        try:
            end = self.metadata().end_session_endpoint
        except NotAccepted:
            return None
        if end is None:
            return None
        return with_query(end, {"client_id": self.settings.client_id, "post_logout_redirect_uri": self.settings.home})


def with_query(url: str, values: dict[str, str]) -> str:
    """An address with more in its query; what stands there stays."""
    return str(httpx.URL(url).copy_merge_params(values))
