"""Frames <-> events.

A message is a list of frames: identities, a delimiter, a signature, then header, parent
header, metadata, content, and the buffers (see the Jupyter messaging specification).  To
and from the core a task's message is just that list, as it was received.

What comes in may be anything.  A message that is nobody's task, or answers none, as far as
can be told, is a `MessageError`; what is wrong with a task or an answer otherwise goes to
the core, which answers the client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ipyparallel import util
from jupyter_client.session import DELIM, Session, protocol_version

from ..core.actions import AskEngine, AskForValue, AssignTask
from ..core.events import (
    EngineAnswered,
    EngineRegistered,
    EngineUnregistered,
    TaskRejected,
    TaskReplied,
    TaskSubmitted,
)
from ..core.record import make
from .busy import seconds_busy
from .checks import (
    SHORT,
    Flags,
    MessageError,
    NamelessTaskError,
    check_msg_type,
    check_outcome,
    check_request,
    flags_of,
    is_text,
    status_of,
)
from .envelope import CONTENT, HEADER, METADATA, PARENT, Envelope, client_of, error_content
from .identities import MARK, QUESTION, identity, is_marked, number_in, without_mark
from .names import EngineNames
from .requests import ANSWER, QUESTION_TO_CLIENT, REQUEST, Asked, read_request
from .signing import DestinationPacker
from .transport import PARTS, Frames, Part

_ESCAPE = ord("\\")

REMEMBERED = 10_000
"""How many headers of tasks are remembered, which saves to read them a second time."""

_NOTIFICATIONS = {
    "registration_notification": EngineRegistered,
    "unregistration_notification": EngineUnregistered,
    "shutdown_notification": None,  # it is for clients
}


class Wire(Envelope):
    """Reads and writes messages with a session's key and packer.

    Parameters
    ----------
    session : jupyter_client.session.Session
        Whose key and packer are used.
    addresses : mapping of bytes to str, or None
        From where engines connect: see `Channel.addresses`.

    Attributes
    ----------
    names : EngineNames
        What the engines are called of which the hub told.
    """

    def __init__(self, session: Session, addresses: Mapping[bytes, str] | None = None) -> None:
        self.names = EngineNames({} if addresses is None else addresses)
        super().__init__(session)
        self._destination = DestinationPacker(session)
        self._nothing = session.pack({})
        self._just_ok = session.pack({"status": "ok"})
        self._common: dict[Part, Part] = {DELIM: DELIM, self._nothing: self._nothing}
        self._last: tuple[bytes, dict[str, Any], Flags] = (self._nothing, {}, flags_of({}))
        self._sent: dict[Part, str] = {}  # msg_ids by the headers of tasks that engines have

    # -- from the wire -----------------------------------------------------------------

    def read_submission(self, frames: Frames) -> TaskSubmitted | TaskRejected | Asked:
        """Read what a client sent.

        Raises
        ------
        RequestError
            If this is a request that cannot be understood.
        NamelessTaskError
            If this can be no task, and the client can be told so.
        MessageError
            If there is nobody to answer: the message is malformed or unsigned, or has no
            readable header.
        """
        parts = self._open_from_peer(frames)
        header = self._unpack(parts[HEADER], "header")
        msg_id = header.get("msg_id")
        if not is_text(msg_id):
            raise NamelessTaskError(f"a task's 'msg_id' is {msg_id!r}, not a string")
        try:
            check_msg_type(header)
            if frames[1] != DELIM and is_marked(frames):
                raise MessageError("its last identity is one that the scheduler gives to engines")
            packed, metadata, flags = self._read_metadata(parts[METADATA])
            self._check_for_engines(parts, header, metadata)
            message = self._share_common_parts(frames, packed)
            return make(TaskSubmitted, (msg_id, message, *flags, message[0]))
        except (MessageError, TypeError, ValueError, RecursionError) as error:
            if header.get("msg_type") == REQUEST:
                request, values = read_request(self._unpack(parts[CONTENT], "content"))
                return Asked(request, values, tuple(frames))
            return TaskRejected(msg_id, str(error), tuple(frames))

    def _read_metadata(self, packed: bytes) -> tuple[bytes, dict[str, Any], Flags]:
        """The metadata of a task: packed, unpacked, and the flags in them.

        Most tasks ask for the same as the one before: they share it, and it is read once.
        """
        if packed == self._last[0]:
            return self._last
        metadata = self._unpack(packed, "metadata")
        self._check_packable(packed, metadata, "metadata")
        read = packed, metadata, flags_of(metadata)
        if len(packed) <= SHORT:  # a long one is kept by its task alone
            self._last = read
        return read

    def _share_common_parts(self, frames: Frames, packed: bytes) -> Frames:
        """A task's message as it is kept: what a client's tasks have in common is kept once."""
        common = self._common
        client, delimiter, signature, header, parent, metadata, content, *buffers = frames
        return (
            common.setdefault(client, client),
            common.get(delimiter, delimiter),
            signature,
            header,
            common.get(parent, parent),
            packed if metadata == packed else metadata,  # with more identities it is another part
            common.get(content, content),
            *buffers,
        )

    def _check_for_engines(
        self, parts: Sequence[bytes], header: dict[str, Any], metadata: dict[str, Any]
    ) -> None:
        """Refuse what an engine cannot read, or not send back: it would never answer."""
        self._check_packable(parts[HEADER], header, "header")
        if (
            parts[PARENT] == self._nothing == parts[CONTENT]
            and header.get("version") == protocol_version
        ):
            return  # as in an ordinary task
        parent = self._unpack(parts[PARENT], "parent header")
        content = self._unpack(parts[CONTENT], "content")
        check_request(
            {"header": header, "parent_header": parent, "metadata": metadata, "content": content}
        )

    def _check_packable(self, packed: bytes, fields: dict[str, Any], part: str) -> None:
        """Refuse half a character, which is an escape; to look for one byte is much the fastest."""
        if _ESCAPE not in packed or b"\\u" not in packed:
            return
        for name, value in fields.items():
            try:
                self._pack({name: value})
            except Exception:
                text = f"{name!r} in its {part} is {value!r}, which cannot be sent on"
                raise MessageError(text) from None

    def read_reply(self, frames: Frames) -> TaskReplied | EngineAnswered:
        """Read what an engine sent; raises MessageError if it answers nothing."""
        parts = self._open_from_peer(frames)
        if identity(frames, 0)[:1] == b"\0":
            frames = [self._engine_of(parts, identity(frames, 0)), *frames[1:]]
        mark = 0
        if frames[2] != DELIM and frames[1] != DELIM:
            mark, frames = without_mark(frames)
        # An engine sends the header of a task back byte for byte, so it need not be read again.
        msg_id = self._sent.pop(parts[PARENT], None)
        if msg_id is None:
            if self._is_answer(frames, parts):
                return EngineAnswered(identity(frames, 0), number_in(frames, 1, QUESTION))
            msg_id = self._unpack(parts[PARENT], "parent header").get("msg_id")
            if not isinstance(msg_id, str):
                raise MessageError(f"its parent header's 'msg_id' is {msg_id!r}, not a string")
        status, met, problem, error, busy = None, True, None, None, None
        try:
            metadata = self._unpack(parts[METADATA], "metadata")
            met = metadata.get("dependencies_met", True) is not False
            if met:
                if frames[1] == DELIM:
                    raise MessageError("it names no client")
                status = status_of(metadata)
            if parts[CONTENT] != self._just_ok:
                error = check_outcome(self._unpack(parts[CONTENT], "content"))
                busy = seconds_busy(error) if error is not None and met else None
        except MessageError as wrong:
            status, problem = None, str(wrong)
        # Copied, since a subclass may go on using the list.
        message = tuple(frames)
        engine = identity(frames, 0)
        fields = (engine, msg_id, status, met, message, problem, mark, error, busy, None)
        return make(TaskReplied, fields)

    def _is_answer(self, frames: Frames, parts: Sequence[bytes]) -> bool:
        """Whether a message answers a question; no task that is accepted has such a reply."""
        if not identity(frames, 1).startswith(QUESTION):
            return False
        return self._unpack(parts[HEADER], "header").get("msg_type") == "kernel_info_reply"

    def _engine_of(self, parts: Sequence[bytes], ident: bytes) -> bytes:
        """The engine that signed a reply which came over a connection that has lost its name.

        ZeroMQ gives the name to the engine's new connection.  What had come over the old one and
        was not read yet comes under a name that ZeroMQ made up, which begins with a zero.
        """
        name = self._unpack(parts[METADATA], "metadata").get("engine")
        return name.encode("utf8") if is_text(name) else ident

    def read_notification(self, frames: Frames) -> EngineRegistered | EngineUnregistered | None:
        """Read what the hub published; None where it is of no concern."""
        parts = self._open(frames)
        kind = self._unpack(parts[HEADER], "header").get("msg_type")
        if not isinstance(kind, str) or kind not in _NOTIFICATIONS:
            raise MessageError(f"its 'msg_type' is {kind!r}, which is unknown")
        event = _NOTIFICATIONS[kind]
        if event is None:
            return None
        content = self._unpack(parts[CONTENT], "content")
        uuid = content.get("uuid")
        if not (uuid and is_text(uuid)):
            raise MessageError(f"its 'uuid' is {uuid!r}, not an engine's identity")
        self.names.learn(uuid, content.get("id"))
        return event(uuid.encode("utf8"))

    def read_engines(self, frames: Frames) -> tuple[list[EngineRegistered], str]:
        """Read the hub's answer to a connection request.

        Returns
        -------
        list of EngineRegistered
            The engines that the hub knows.
        str
            What is wrong with others, or nothing.
        """
        engines = self._unpack(self._open(frames)[CONTENT], "content").get("engines", {})
        if not isinstance(engines, dict):
            raise MessageError(f"its 'engines' is {engines!r}, not an object")
        good = {uuid: number for number, uuid in engines.items() if uuid and is_text(uuid)}
        for uuid, number in good.items():
            if str(number).isdecimal():  # JSON has no numbers as keys
                self.names.learn(uuid, int(number))
        problem = ""
        if len(good) < len(engines):
            problem = f"its 'engines' is {engines!r}, and not all are engines' identities"
        return [EngineRegistered(uuid.encode("utf8")) for uuid in good], problem

    # -- to the wire -------------------------------------------------------------------

    def error_reply(
        self, message: Frames, error: str, text: str, engine: bytes | None = None
    ) -> list[bytes]:
        """Make the reply to a client whose task the scheduler fails.

        Parameters
        ----------
        message : sequence of Part
            The task.
        error : str
            The name of the exception that the client gets.
        text : str
            What it says.
        engine : bytes or None
            The engine that is to blame, if one is.
        """
        client = client_of(message)
        metadata: dict[str, Any] = {}
        if engine is not None:
            name = engine.decode("utf8", "replace")
            metadata = {"status": "error", "engine": name, "date": util.utcnow()}
            client = [client[0], engine, *client[1:]]
        return self._reply(message, client, "apply_reply", error_content(error, text), metadata)

    def aborted_reply(self, message: Frames) -> list[bytes]:
        """Make the reply to a client whose task was taken back: it gets `TaskAborted`."""
        content = {"status": "aborted"}
        return self._reply(message, client_of(message), "apply_reply", content, content)

    def answer(self, request: Frames, values: dict[str, Any]) -> list[bytes]:
        """Make the answer to a request of a client's."""
        return self._reply(request, client_of(request), ANSWER, {"status": "ok", **values})

    def refusal(self, request: Frames, error: str, text: str) -> list[bytes]:
        """Make the answer to a request that cannot be met; see `error_reply`."""
        return self._reply(request, client_of(request), ANSWER, error_content(error, text))

    def question_to_client(self, action: AskForValue) -> list[bytes]:
        """Ask a client for the value of a task."""
        task = action.message
        return self._reply(task, client_of(task), QUESTION_TO_CLIENT, {"msg_id": action.msg_id})

    def marked(self, frames: Frames, mark: int) -> Frames:
        """Make a task's message one that an engine has not seen, and whose reply is known.

        The number of the attempt stands in the place of its parent header, since an engine drops
        a signature that it has seen: a request has no parent, and any other part might not be
        packed again as it was.  And it stands in an identity of its own, since an engine sends
        those back with its reply.
        """
        header, _, metadata, content = self._open(frames)
        signed = [header, self._pack({"attempt": mark}), metadata, content]
        start = frames.index(DELIM)
        identities = [*frames[:start], MARK + str(mark).encode()]
        return [
            *identities,
            DELIM,
            self._signer.sign(signed),
            *signed,
            *frames[start + 1 + PARTS :],
        ]

    def question(self, action: AskEngine) -> list[bytes]:
        """Make a request that an engine answers in its turn, without doing anything."""
        identities = [action.engine, QUESTION + str(action.question).encode()]
        message = self._session.msg("kernel_info_request")
        return self._session.serialize(message, ident=identities)

    def task_destination(self, action: AssignTask, ident: bytes) -> list[bytes]:
        """Make the message that tells the hub where a task went."""
        header = action.message[action.message.index(DELIM) + 2]
        if len(header) <= SHORT:
            if len(self._sent) >= REMEMBERED:  # not all are answered
                self._sent.clear()
            self._sent[header] = action.msg_id
        parts = self._destination.pack(action.msg_id, action.engine)
        return [b"tracktask", ident, DELIM, self._signer.sign(parts), *parts]
