package SL::Relay;

# A man in the middle: TCP connections to its port go on to another, byte for byte, and everything that passed is kept.
# It can make the way narrow, cut it, and stop one direction while a test looks.
#
#   my $relay  = SL::Relay->new(to => $httpd->port('https'), up_piece => 1);
#   my $client = SL::Client->new(port => $relay->port);
#   $relay->bytes(1, 'down')         what the first connection got from the server
#   $relay->records(1, 'down')       the same as TLS records: ({type => 22, length => 122}, ...)
#   $relay->writes(1, 'down')        lengths of the pieces in which it came, as far as they were read apart
#   $relay->hold; $relay->release    nothing more is taken from the servers; goes on
#   $relay->halve; $relay->release   of what clients send only three bytes go on, the others when it is released
#
# Options: up_piece, down_piece (most bytes sent on at a time, each in a packet of its own), down_first (down_piece
# counts for that many bytes only), prefix (sent to the server first, e.g. a PROXY header), prefix_piece, prefix_with
# (the prefix leaves together with the client's first bytes).

use strict;
use warnings;
use IO::Select;
use IO::Socket::IP;
use POSIX ();
use Socket qw(SOCK_STREAM IPPROTO_TCP TCP_NODELAY SHUT_WR);
use SL::Command qw(free_port scratch_dir slurp spew stop_process wait_until);

sub new {
    my ($class, %o) = @_;
    my $self = bless { ip => '127.0.0.1', port => free_port(), dir => scratch_dir('sl-relay'), %o }, $class;
    my $listener = IO::Socket::IP->new(LocalHost => $self->{ip}, LocalPort => $self->{port}, Type => SOCK_STREAM,
        Listen => 64, ReuseAddr => 1) or die "listen on $self->{port}: $@";
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $SIG{PIPE} = 'IGNORE';
        POSIX::setpgid(0, 0);
        eval { $self->serve($listener); 1 } or print STDERR "relay: $@";
        POSIX::_exit(0);
    }
    @$self{qw(pid owner)} = ($pid, $$);
    return $self;
}

sub port { return $_[0]{port} }

sub hold    { my ($self) = @_; spew("$self->{dir}/hold", ''); return $self }
sub halve   { my ($self) = @_; spew("$self->{dir}/halve", ''); return $self }
sub release { my ($self) = @_; unlink "$self->{dir}/hold", "$self->{dir}/halve"; return $self }
sub is_held { my ($self) = @_; return -e "$self->{dir}/hold" }

sub bytes  { my ($self, $n, $way) = @_; return slurp("$self->{dir}/$way.$n") }
sub writes { my ($self, $n, $way) = @_; return split ' ', slurp("$self->{dir}/$way.$n.writes") }

sub records {
    my ($self, $n, $way) = @_;
    my $bytes = $self->bytes($n, $way);
    my ($at, @records) = (0);
    while ($at + 5 <= length $bytes) {
        my ($type, undef, $length) = unpack 'Cnn', substr $bytes, $at, 5;
        last if $at + 5 + $length > length $bytes;
        push @records, { type => $type, length => $length, bytes => substr($bytes, $at + 5, $length) };
        $at += 5 + $length;
    }
    return @records;
}

sub connect_on {
    my ($self, $near) = @_;
    my $far = IO::Socket::IP->new(PeerHost => $self->{ip}, PeerPort => $self->{to}, Type => SOCK_STREAM) or return;
    $near->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
    $far->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
    $_->blocking(0) for $near, $far;
    my $n = ++$self->{count};
    my @ways = map { my ($way, $from, $to) = @$_;
        { way => $way, from => $from, to => $to, n => $n, waiting => '', passed => 0, piece => $self->{"${way}_piece"} } }
        (['up', $near, $far], ['down', $far, $near]);
    for my $way (@ways) {
        open $way->{log},    '>:raw', "$self->{dir}/$way->{way}.$n"        or die $!;
        open $way->{writes}, '>:raw', "$self->{dir}/$way->{way}.$n.writes" or die $!;
        $way->{log}->autoflush(1);
        $way->{writes}->autoflush(1);
    }
    my $prefix = $self->{prefix} // '';
    if ($self->{prefix_with}) { $ways[0]{waiting} = $prefix; $ways[0]{holding} = 1 }
    else { while (length $prefix) { syswrite $far, substr $prefix, 0, $self->{prefix_piece} || length $prefix, '' } }
    return @ways;
}

sub take {
    my ($way) = @_;
    my $n = sysread $way->{from}, my $piece, 65536;
    return if !defined $n && ($!{EAGAIN} || $!{EINTR});
    if (!$n) { $way->{ended} = 1; return }
    print { $way->{log} } $piece;
    print { $way->{writes} } "$n ";
    $way->{waiting} .= $piece;
    $way->{holding} = 0;
    return;
}

sub give {
    my ($self, $way, $half) = @_;
    my $narrow = $half ? 3 : $way->{piece};
    undef $narrow if $way->{way} eq 'down' && $self->{down_first} && $way->{passed} >= $self->{down_first};
    my $n = syswrite $way->{to}, $way->{waiting}, $narrow || length $way->{waiting};
    if (!defined $n) {
        return if $!{EAGAIN} || $!{EINTR};
        $way->{dead} = 1;
        return;
    }
    $way->{passed} += $n;
    $way->{halved} = $half;
    substr($way->{waiting}, 0, $n) = '';
    return;
}

sub serve {
    my ($self, $listener) = @_;
    my @ways;
    while (1) {
        my $held = $self->is_held;
        my $half = -e "$self->{dir}/halve";
        my ($readers, $writers) = (IO::Select->new($listener), IO::Select->new);
        my (%reads, %writes);
        for my $way (grep { !$_->{done} } @ways) {
            next if $half && $way->{halved};
            if (length $way->{waiting} && !$way->{holding}) { $writers->add($way->{to}); $writes{ $way->{to} } = $way }
            elsif (!$way->{ended} && !($held && $way->{way} eq 'down')) {
                $readers->add($way->{from});
                $reads{ $way->{from} } = $way;
            }
        }
        my ($can_read, $can_write) = IO::Select->select($readers, $writers, undef, $held || $half ? 0.02 : undef);
        for my $handle (@{ $can_read || [] }) {
            if ($handle == $listener) { my $near = $listener->accept; push @ways, $self->connect_on($near) if $near }
            else                      { take($reads{$handle}) }
        }
        $self->give($writes{$_}, $half && $writes{$_}{way} eq 'up') for @{ $can_write || [] };
        for my $way (grep { !$_->{done} } @ways) {
            next unless $way->{dead} || ($way->{ended} && !length $way->{waiting});
            shutdown $way->{to}, SHUT_WR;
            $way->{done} = 1;
            delete @$way{qw(log writes)};
        }
        my %open;
        $open{ $_->{n} } += !$_->{done} for @ways;
        @ways = grep { $open{ $_->{n} } } @ways;
    }
}

sub stop { my ($self) = @_; stop_process(delete $self->{pid}, timeout => 5) if $self->{pid}; return }

sub DESTROY { my ($self) = @_; local ($?, $!, $@); $self->stop if $self->{owner} && $$ == $self->{owner} }

1;
