// Package systemd tells the service manager what a lifecycle.Group does, by the protocol of sd_notify(3): when the
// process is ready, what it is doing, that it is alive, and that a long stop goes forward.
//
//	[Unit]
//	Description=The shop
//	After=network-online.target
//	Wants=network-online.target
//
//	[Service]
//	Type=notify
//	NotifyAccess=main
//	ExecStart=/usr/local/bin/shop --grace 5min
//	Restart=on-failure
//	# 2: the configuration is wrong, a restart does not help.
//	RestartPreventExitStatus=2
//	# A stop gets 30 s, and up to the grace of 5 minutes for as long as what remains becomes less.
//	TimeoutStopSec=30
//	# The group has stopped answering: SIGABRT, for the stacks, and a restart.
//	WatchdogSec=20
//	# Only the process itself gets SIGTERM: it stops its children in their turn.
//	KillMode=mixed
//
//	[Install]
//	WantedBy=multi-user.target
//
// Where TimeoutStopSec is at least the grace, it works as well; nothing has to be extended then.
package systemd
