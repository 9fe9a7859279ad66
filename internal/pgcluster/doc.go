// Package pgcluster runs PostgreSQL servers that belong to this process: a
// cluster in a folder of its own, as an ordinary user, made when it is not there
// yet. It is for the stand-in and for tests, not for anybody's data.
//
// Laws: a server does not outlive the process that started it, not even one that
// is killed; it is reached by a Unix socket in a folder that only its user and
// root may enter, and by the network only when its configuration says so.
//
//	binaries, err := pgcluster.Find()
//	cluster, err := pgcluster.New(binaries, pgcluster.Options{})
//	err = cluster.Start()
//	defer cluster.Remove()
package pgcluster
