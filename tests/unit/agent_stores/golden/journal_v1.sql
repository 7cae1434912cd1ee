-- A journal as version 1 of the schema left it. Never edited: files like this are on tills.
BEGIN TRANSACTION;
CREATE TABLE entries (
        id INTEGER PRIMARY KEY,
        row_hash BLOB NOT NULL,
        at_wall_ms INTEGER NOT NULL,
        effect_points INTEGER NOT NULL,
        kind TEXT NOT NULL,
        uid TEXT NOT NULL,
        about_uid TEXT NOT NULL,
        subject_key TEXT NOT NULL,
        hold TEXT NOT NULL,
        request_digest BLOB NOT NULL,
        answer BLOB NOT NULL,
        body BLOB NOT NULL
    ) STRICT
    ;
INSERT INTO "entries" VALUES(1099511627777,X'8093182DC12EB2D5EFFAA6082982897B443F3D915C1DDB6342C11E37D63D9427',1700000000000,12,'sale','s-1','','m-1','',X'646967657374206F6620732D31',X'7B22616E73776572223A22732D31227D',X'7B226B696E64223A2273616C65222C22756964223A22732D31227D');
INSERT INTO "entries" VALUES(1099511627778,X'B05F4FA3D2C3CC8C290ABD8100F3D9A2D58D16254EE1E79EDE2700FA72CA37EE',1700000000000,-50,'sale','s-2','','m-1','h-1',X'646967657374206F6620732D32',X'7B22616E73776572223A22732D32227D',X'7B226B696E64223A2273616C65222C22756964223A22732D32227D');
INSERT INTO "entries" VALUES(1099511627779,X'8A927B392D20AA618016FD80785FF544F0515928246ABAC431075FD360C8AC16',1700000000000,-6,'return','r-1','s-1','m-1','',X'646967657374206F6620722D31',X'7B22616E73776572223A22722D31227D',X'7B226B696E64223A2273616C65222C22756964223A22722D31227D');
INSERT INTO "entries" VALUES(1099511627780,X'3B340B767140930B66869C55498D34C12120782BCD9AD233F8F35C170DB5C68D',1700000000000,4,'sale','s-3','','card:00ff','',X'646967657374206F6620732D33',X'7B22616E73776572223A22732D33227D',X'7B226B696E64223A2273616C65222C22756964223A22732D33227D');
CREATE TABLE epochs (
        epoch INTEGER PRIMARY KEY,
        till TEXT NOT NULL,
        salt TEXT NOT NULL,
        made_wall_ms INTEGER NOT NULL,
        reason TEXT NOT NULL,
        acked_seq INTEGER NOT NULL DEFAULT 0
    ) STRICT
    ;
INSERT INTO "epochs" VALUES(1,'t-7','5a175a175a175a175a175a175a175a17',1700000000000,'new',2);
CREATE TABLE holds (
        number INTEGER PRIMARY KEY,
        hold TEXT NOT NULL UNIQUE,
        sale_uid TEXT NOT NULL,
        member_id TEXT NOT NULL,
        points INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('asked', 'granted', 'used', 'released')),
        deadline_mono_ms INTEGER NOT NULL,
        boot TEXT NOT NULL,
        resolved_by INTEGER
    ) STRICT
    ;
INSERT INTO "holds" VALUES(1,'h-1','s-2','m-1',50,'used',8000,'boot-1',1099511627778);
CREATE TABLE verdicts (
        id INTEGER PRIMARY KEY,
        status TEXT NOT NULL,
        code TEXT NOT NULL,
        member_id TEXT NOT NULL,
        tag TEXT NOT NULL,
        balance INTEGER NOT NULL,
        held INTEGER NOT NULL,
        effect_points INTEGER NOT NULL,
        position INTEGER NOT NULL
    ) STRICT
    ;
INSERT INTO "verdicts" VALUES(1099511627777,'applied','','m-1','',92,0,12,4);
INSERT INTO "verdicts" VALUES(1099511627778,'adjusted','limit','m-1','',42,0,-50,5);
CREATE UNIQUE INDEX entries_by_uid ON entries (kind, uid);
CREATE INDEX entries_by_about ON entries (about_uid) WHERE about_uid <> '';
CREATE INDEX entries_effects ON entries (id, subject_key, effect_points) WHERE effect_points <> 0;
CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER entries_never_go BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE INDEX verdicts_to_look_at ON verdicts (status) WHERE status IN ('adjusted', 'rejected');
CREATE INDEX holds_open ON holds (number) WHERE state IN ('asked', 'granted');
COMMIT;
PRAGMA application_id = 1414744652;
PRAGMA user_version = 1;
