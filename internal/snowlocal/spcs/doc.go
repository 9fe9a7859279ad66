// Package spcs is the container services of the stand-in: compute pools, image
// repositories, services and jobs, over Snowflake's statements, with the
// containers on the local Docker Engine. It is not Snowflake: a node is a sum of
// requests, and a repository is a prefix of the engine's image names.
//
//   - An image is in the repository DB.SCHEMA.REPO when the engine has it by the
//     name db/schema/repo/name:tag: docker tag does what docker push does there.
//   - A container has the platform's variables, and a token that is valid from its
//     own address alone. It reaches the stand-in at the gateway of Docker's bridge.
//   - SIGTERM, then SIGKILL after Grace: for cancelling, dropping, suspending,
//     upgrading and evicting alike.
//   - Every container carries the label of its stand-in. What a stand-in that is no
//     longer there has left behind is removed by the next one.
//   - What is not confirmed about Snowflake is in numbers.go, and only there.
//
// All state is guarded by one mutex, which is never held while Docker or
// PostgreSQL is asked. One goroutine runs an instance from its wait for a node to
// its end, and one each of its containers; Close waits for all.
package spcs
