package SL::Load;

# Clients that ask a server without a pause and look at all that they get.
#
#   my $load = SL::Load->new($client, sub { 'one.test' }, clients => 3);
#   my $sum = $load->end;   {requests}, {failed}: [what was wrong, ...]
# curl verifies the certificate, and that its key has signed the handshake: half of a pair is a failure. That a connection
# was cut is one too, unless `cuts => 1` says that somebody kills children.

use strict;
use warnings;
use POSIX ();
use SL::Command qw(scratch_dir slurp spew);

sub new {
    my ($class, $client, $choose, %o) = @_;
    my $self = bless { dir => scratch_dir('sl-load'), pids => [] }, $class;
    for my $number (1 .. $o{clients} || 3) {
        my $pid = fork // die "fork: $!";
        if (!$pid) { $self->ask($client, $choose, $number, $o{cuts}); POSIX::_exit(0) }
        push @{ $self->{pids} }, $pid;
    }
    return $self;
}

# curl's 7, 52, 55, 56, 92: no connection, no answer, cut; 35 without a word of certificates and signatures: cut in the handshake.
sub is_cut {
    my ($r) = @_;
    return (grep { $r->{status} == $_ } 7, 52, 55, 56, 92) || ($r->{status} == 35 && $r->{err} =~ /SSL_ERROR_SYSCALL|reset by peer|unexpected eof/i);
}

sub ask {
    my ($self, $client, $choose, $number, $cuts) = @_;
    my ($requests, @failed) = (0);
    while (!-e "$self->{dir}/stop") {
        my $r = $client->curl('https://' . $choose->() . '/');
        $requests++;
        push @failed, "$r->{status}: $r->{err}" if $r->{status} && !($cuts && is_cut($r));
    }
    spew("$self->{dir}/load.$number", join "\0", $requests, @failed);
    return;
}

sub end {
    my ($self) = @_;
    spew("$self->{dir}/stop", '');
    waitpid $_, 0 for @{ $self->{pids} };
    my %sum = (requests => 0, failed => []);
    for my $file (glob "$self->{dir}/load.*") {
        my ($requests, @failed) = split /\0/, slurp($file);
        $sum{requests} += $requests;
        push @{ $sum{failed} }, @failed;
    }
    return \%sum;
}

1;
