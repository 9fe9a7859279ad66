CREATE DOMAIN sf.variant AS jsonb;
CREATE DOMAIN sf.object AS jsonb;
CREATE DOMAIN sf.array AS jsonb;
CREATE TYPE sf.timestamp_tz AS (t timestamptz, o smallint);

CREATE TABLE sf.users (name text PRIMARY KEY, def jsonb NOT NULL, created timestamptz NOT NULL DEFAULT now());
CREATE TABLE sf.roles (name text PRIMARY KEY, comment text NOT NULL DEFAULT '', created timestamptz NOT NULL DEFAULT now());
CREATE TABLE sf.warehouses (name text PRIMARY KEY, def jsonb NOT NULL, owner text NOT NULL, created timestamptz NOT NULL DEFAULT now());
CREATE TABLE sf.databases (name text PRIMARY KEY, owner text NOT NULL, comment text NOT NULL DEFAULT '', created timestamptz NOT NULL DEFAULT now());
CREATE TABLE sf.schemas (database text NOT NULL, name text NOT NULL, owner text NOT NULL, comment text NOT NULL DEFAULT '',
	created timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (database, name));
CREATE TABLE sf.kept (kind text NOT NULL, name text NOT NULL, owner text NOT NULL, comment text NOT NULL DEFAULT '',
	created timestamptz NOT NULL DEFAULT now(), def jsonb NOT NULL, PRIMARY KEY (kind, name));
CREATE TABLE sf.grants (kind text NOT NULL, object text NOT NULL, privilege text NOT NULL, grantee_kind text NOT NULL, grantee text NOT NULL,
	grant_option boolean NOT NULL DEFAULT false, granted_by text NOT NULL, created timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (kind, object, privilege, grantee_kind, grantee));
CREATE TABLE sf.future_grants (kind text NOT NULL, scope text NOT NULL, privilege text NOT NULL, grantee text NOT NULL,
	PRIMARY KEY (kind, scope, privilege, grantee));
