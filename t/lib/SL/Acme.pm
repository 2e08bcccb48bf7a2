package SL::Acme;

# A certificate authority that speaks ACME (RFC 8555), and name service for it: Debian's pebble. It checks what it is
# told to check (http-01, tls-alpn-01) on the ports given, for every name on 127.0.0.1.
#
#   my $acme = SL::Acme->new(http => $httpd->port('http'), https => $httpd->port('https'));
#   $acme->start or die $acme->log;
#   $acme->url           directory, for MDCertificateAuthority
#   $acme->cacert        CA of its own HTTPS, for MDCACertificateFile
#   $acme->root          the root certificate it issues under, for clients (new with each start)
#   $acme->log           what it said
#   $acme->stop

use strict;
use warnings;
use SL::Certs;
use SL::Command qw(run stop_process wait_until free_port scratch_dir slurp spew slow find_program);

sub new {
    my ($class, %port) = @_;
    return bless { dir => scratch_dir('sl-acme'), port => { %port, map { $_ => free_port() } qw(acme management dns) } }, $class;
}

sub url    { return "https://127.0.0.1:$_[0]{port}{acme}/dir" }
sub cacert { return SL::Certs->new->ca('ca') }
sub log    { return slurp("$_[0]{dir}/log") }

sub start_program {
    my ($self, @command) = @_;
    my $program = find_program($command[0]) or die "$command[0] is not there: install the package pebble\n";
    push @{ $self->{pids} }, SL::Command::start([$program, @command[1 .. $#command]],
        stdout => "$self->{dir}/log", stderr => "$self->{dir}/log", cwd => $self->{dir},
        # No pauses between checks, no nonces refused at random, no order that skips its check.
        env => { PEBBLE_VA_NOSLEEP => 1, PEBBLE_WFE_NONCEREJECT => 0, PEBBLE_AUTHZREUSE => 0 });
    return;
}

# True once it answers.
sub start {
    my ($self) = @_;
    my $port = $self->{port};
    my $cert = SL::Certs->new->server('localhost', type => 'ecdsa', names => ['localhost', 'IP:127.0.0.1'], tag => 'acme');
    spew("$self->{dir}/pebble.json", <<"JSON");
{"pebble": {
    "listenAddress": "127.0.0.1:$port->{acme}", "managementListenAddress": "127.0.0.1:$port->{management}",
    "certificate": "$cert->{full}", "privateKey": "$cert->{key}",
    "httpPort": $port->{http}, "tlsPort": $port->{https}
}}
JSON
    $self->start_program('pebble-challtestsrv', '-dns01', "127.0.0.1:$port->{dns}", '-management', '', '-http01', '', '-https01', '',
        '-tlsalpn01', '', '-defaultIPv4', '127.0.0.1', '-defaultIPv6', '');
    $self->start_program('pebble', '-config', "$self->{dir}/pebble.json", '-dnsserver', "127.0.0.1:$port->{dns}");
    return wait_until(sub { $self->ask("https://127.0.0.1:$port->{acme}/dir") =~ /newOrder/ }, 15 * slow());
}

sub ask {
    my ($self, $url) = @_;
    return run(['curl', '-sS', '--noproxy', '*', '--max-time', 5, '--cacert', $self->cacert, $url], timeout => 10)->{out};
}

sub root {
    my ($self) = @_;
    return $self->{root} ||= spew("$self->{dir}/root.crt", $self->ask("https://127.0.0.1:$self->{port}{management}/roots/0"));
}

sub stop {
    my ($self) = @_;
    stop_process($_, timeout => 5) for splice @{ $self->{pids} || [] };
    return;
}

sub DESTROY { local ($?, $@, $!); $_[0]->stop }

1;
