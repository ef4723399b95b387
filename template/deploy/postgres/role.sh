# Makes the service's role and its database, when the image makes an empty server.
# The role is no superuser. The superuser has no password then: it can only be used from inside the
# container, `docker compose --file deploy/compose.yaml exec postgres psql --username=postgres`.
psql --username=postgres --dbname=postgres --set=ON_ERROR_STOP=1 \
    --set=password="$POSTGRES_PASSWORD" <<'SQL'
CREATE ROLE trading LOGIN PASSWORD :'password';
CREATE DATABASE trading OWNER trading;
ALTER ROLE postgres PASSWORD NULL;
SQL
