"""What we take in at most, each with the arithmetic that justifies it."""

MIB = 1024 * 1024

BODY = 1 * MIB  # a message with every field filled is below 100 KiB
BODY_META = 4 * MIB  # Meta sends batches of up to 3 MB
MAIL = 25 * MIB  # what large mail providers send at most
HEADERS = 16 * 1024  # bytes; servers in front of us allow 8 to 16 KiB
READ_SECONDS = 10.0  # Twilio gives up after 15 s in all, so 5 s are left for Kafka
RETRY_AFTER_SECONDS = 5  # longer than a leader election in Kafka usually takes

JSON_DEPTH = 64  # real payloads are below 12 deep
JSON_KEYS = 10_000  # an object around each, with a name of its own, takes 260 bytes: 3 MiB
# Meta sends at most 1 000 updates at once. A status with everything has 30 keys, a message with its
# contact, its change and its entry 30, a card with addresses 60: 60 000 keys, 16 MiB of objects.
JSON_KEYS_META = 60_000
JSON_KEYS_SENDGRID = 60_000  # 12 in each event of its largest batch: 16 MiB of objects in a worker
# As many as keys, and what lists hold besides, 40 in each of those updates; a 4 MiB body of
# `1,1,1,…` would be two million objects of 32 bytes.
JSON_VALUES = 100_000
PARTS = 2_000  # of one request: twice Meta's largest batch, and each takes 0.1 to 0.4 ms
# SendGrid names no largest batch. Of its shortest events (250 bytes) these are 1.2 MiB, which a
# worker reads in 0.2 s.
PARTS_SENDGRID = 5_000
BROKEN_PARTS = 100  # of one request; each dead letter repeats its headers: 1.6 MiB

REQUEST = 64 * 1024  # bytes a request counts for at least: its headers, events, buffers
IN_FLIGHT = 256 * MIB  # 4 096 small requests: 40 s of 100 a second while Kafka makes us wait
IN_FLIGHT_PER_ACCOUNT = 128 * MIB  # one busy or hostile channel account leaves half for the others
BATCH = 500  # events per request of the events API: one Kafka batch
FORM_FIELDS = 1_000  # Twilio sends at most about 60
FIELD_NAME = 255  # bytes; the longest of a provider's has 30

PART = 256 * 1024  # bytes of one message's JSON: its event stays below the topic's 1 MiB
TEXT = 65_536  # characters, as the event model allows
SHORT_TEXT = 1_000
MESSAGE_ID = 256  # characters, as the event model allows
FILE_NAME = 255  # what file systems take; 200 of them stay far below the topic's 1 MiB

SIGNATURE_HEADER = 1024  # characters; the longest proof we know is Vonage's token with about 420

MAIL_CONNECTIONS = 10  # each holds a mail twice: 500 MiB at worst
MAIL_BUFFER = 64 * 1024  # bytes; 128 times a command, and little enough to be looked at in 1 ms
MAIL_IDLE_SECONDS = 60.0  # in which nothing comes; a relay that still sends stops for seconds
MAIL_DATA_SECONDS = 1_800.0  # for one mail: 25 MiB of it at 120 kbit/s
MAIL_RECIPIENTS = 100  # RFC 5321 §4.5.3.1.8 asks for at least 100
MAIL_HEADER_LINE = 998  # RFC 5322 §2.1.1
MAIL_HEADERS = 64 * 1024  # some of the standard library's header parsers are quadratic
MAIL_PART_HEADER = 8 * 1024  # one header of a part, folded lines and all
MAIL_VALUE = 2_000  # characters of one header that is parsed, for the same reason
MAIL_GRAMMAR = 400  # characters of addresses that need the whole grammar, which takes 12 ms
MAIL_ADDRESSES = 100  # of the headers of one name: as many as a mail's envelope may have
MAIL_LINES = 1_000_000  # 25 MiB of base64 are 345 000 lines
MAIL_DECODED = 50 * MIB  # base64 shrinks: twice what a mail can be; uuencode and others lie
MAIL_DEPTH = 20
MAIL_PARTS = 200
MAIL_HTML = 512 * 1024  # characters looked at to make text of HTML
MAIL_THREAD = 100  # message ids read from References
MAIL_REPORTED = 20  # recipients of one delivery report that give an event each
MAIL_HOPS = 50  # Received lines; RFC 5321 §6.3 takes 100 for a loop, real mail has below 20
MAIL_ISOLATED = 64 * 1024  # bytes; a smaller mail is read in a thread before a pipe carried it
MAIL_WORKERS = 2  # processes that read large mails
MAIL_SECONDS = 10.0  # of processor or of wall time; a mail of 25 MiB takes 1 s
MAIL_MEMORY = 1024 * MIB  # address space of one; a mail of 25 MiB takes 330 to 470 MiB

OUTGOING_CONNECT_SECONDS = 5.0  # three tries of TCP's SYN: at 0, 1 and 3 s
OUTGOING_SECONDS = 15.0  # a provider that needs longer has a problem; a lease covers it four times
FETCH_SECONDS = 10.0
FETCH_REDIRECTS = 2  # a file's address, its storage, its nearest copy
FETCHED = 25 * MIB  # as much as a mail
FILES_GIVEN = 200 * MIB  # 8 files at once, each held twice while it comes: 400 MiB at worst
FILES_GIVEN_EACH = 100 * MIB  # one integrator's; its desktop asks again for the fifth at once
SUBMISSION_SECONDS = 30.0  # a relay looks names up while it talks; half of a reply's lease

REPLIES_IN_FLIGHT = 32
REPLIES_PER_ACCOUNT = 8  # a provider that hangs takes a quarter of our places
REPLY_FILES = 10
REPLY_PREPARATIONS = 2 * REPLY_FILES  # preparatory calls; Slack needs two for each file
REPLY_FILES_SIZE = 20 * MIB  # in base64 27 MiB, about what mail providers take
REPLY_FILES_HELD = 80 * MIB  # 4 replies at once, each held 3 times (file, base64, wire): 240 MiB
REPLY_FILES_HELD_EACH = 40 * MIB  # a provider that hangs leaves half for the others
REPLY_PARAMETERS = 50  # gaps in a template's text of at most 1 024 characters: one in 20
REPLY_PARAMETER = 1_024  # characters: no more than the whole text of a template
REPLY_TAGS = 5_000  # of HTML; a sanitiser's time grows with the square of how deep they nest

AMI_PACKET = 64 * 1024  # bytes of one packet of Asterisk's; an event has below 4 KiB
AMI_LINES = 1_000  # Asterisk itself takes at most 128 in a packet
AMI_WAITING = 1_000  # packets that wait while nothing can be made safe: 64 MiB at worst, usually 2
AMI_SECONDS = 10.0  # to connect, to greet, to log in, to answer a ping: Asterisk takes milliseconds
AMI_SILENCE_SECONDS = 30.0  # then we ping: half of what gateways commonly allow a silent connection
AMI_RETRY_SECONDS = (0.5, 30.0)  # first and longest pause: callers in a queue wait minutes
