# Connections end in order: with close_notify, without, or after waiting for the client's, as the request's environment says;
# clients that end theirs in any other way get what they asked for, and break nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Time::HiRes qw(time);
use SL::Between;
use SL::Certs;
use SL::Client;
use SL::Command qw(slow slurp spew wait_until);
use SL::Conf qw(tls_host page);
use SL::Httpd;

use constant { ALERT => 21, DATA => 23 };

my $cert = SL::Certs->new->server('one.test', type => 'ecdsa');
my $hello = SL::Between::hello_of(SL::Client->new(port => 1), 'one.test');

my $cgi = <<'EOS';
#!/usr/bin/perl
my $got = 0;
my $left = $ENV{CONTENT_LENGTH} || 0;
while ($left > 0) { my $n = read STDIN, my $piece, $left; last unless $n; $got += $n; $left -= $n }
print "Content-Type: text/plain\n\n";
if ($ENV{QUERY_STRING}) { open my $wait, '<', $ENV{QUERY_STRING} or die; <$wait> }
print "got $got, missing $left\n";
EOS

sub start {
    my ($mpm, @lines) = @_;
    my $httpd = SL::Httpd->new(mpm => $mpm, name => $mpm, modules => [$mpm eq 'prefork' ? 'cgi' : 'cgid']);
    $httpd->file('cgi/count', $cgi);
    $httpd->file('docs/one.test/large', 'x' x 8_000_000);
    page($httpd, 'one.test');
    $httpd->config(join '', "Listen 127.0.0.1:\${port_https}\n", $mpm eq 'prefork' ? () : "ScriptSock cgid\n",
        map({"$_\n"} @lines),
        tls_host('one.test', $cert, 'SSLProtocol TLSv1.2', 'ScriptAlias /cgi/ "${cgi}/"', 'KeepAliveTimeout 1',
            'SetEnvIf Request_URI unclean ssl-unclean-shutdown', 'SetEnvIf Request_URI accurate ssl-accurate-shutdown',
            'AliasMatch "^/(?:unclean|accurate)" "${docs}/one.test/index.html"'));
    $httpd->start_ok or BAIL_OUT('httpd does not start');
    return $httpd;
}

sub request { my ($path, @head) = @_; return join "\r\n", "GET $path HTTP/1.1", 'Host: one.test', @head, '', '' }

# A client behind a gate, with the handshake done; what it sends waits at the gate from then on.
sub behind_gate {
    my ($httpd) = @_;
    my $gate = SL::Between->new(port => $httpd->port('https'), keep_open => 1);
    my $tls = SL::Client->new(port => $gate->port)->tls('one.test');
    $gate->join;
    $gate->pump(until => sub { (grep { $_->[0] == 20 } $gate->records('server')) }) or die 'no handshake';
    return ($gate, $tls);
}

# Sends text through the gate, which closes again behind it.
sub forward {
    my ($gate, $tls, $text) = @_;
    my $before = $gate->records('client');
    $tls->send($text);
    return $gate->pump(from => 'client', until => sub { $gate->records('client') > $before });
}

# What the server sent behind the handshake: alerts as a, data as d.
sub sent { my ($gate) = @_; return join '', map { { ALERT, 'a', DATA, 'd' }->{ $_->[0] } // '' } $gate->records('server') }
sub server_ends { my ($gate, $seconds) = @_; return $gate->pump(from => 'server', until => sub { $gate->ended('server') }, seconds => $seconds) }

for my $mpm (qw(event worker prefork)) {
    my $httpd = start($mpm);

    my ($gate, $tls) = behind_gate($httpd);
    forward($gate, $tls, request('/', 'Connection: close'));
    my $began = time;
    is(server_ends($gate), 'closed', "$mpm: the server closes behind the last answer");
    is(sent($gate), 'da', '... with close_notify');
    cmp_ok(time - $began, '<', 1 * slow(), '... and does not wait for the client\'s');
    $gate->close;

    ($gate, $tls) = behind_gate($httpd);
    forward($gate, $tls, request('/unclean', 'Connection: close'));
    is(server_ends($gate), 'closed', "$mpm, ssl-unclean-shutdown: closed");
    is(sent($gate), 'd', '... without close_notify');
    $gate->close;

    ($gate, $tls) = behind_gate($httpd);
    forward($gate, $tls, request('/accurate'));
    forward($gate, $tls, request('/unclean', 'Connection: close'));
    $gate->pump(from => 'server', until => sub { sent($gate) eq 'dda' });
    is(sent($gate), 'dda', "$mpm, ssl-accurate-shutdown in the first request: close_notify");
    is(server_ends($gate, 0.3 / slow()), undef, '... the server waits for the client\'s');
    $gate->pump(from => 'client', until => sub { grep { $_->[0] == ALERT } $gate->records('client') });
    $began = time;
    is(server_ends($gate), 'closed', '... and closes when it is there');
    cmp_ok(time - $began, '<', 1 * slow(), '... at once');
    $gate->close;

    ($gate, $tls) = behind_gate($httpd);
    forward($gate, $tls, request('/accurate', 'Connection: close'));
    $gate->pump(from => 'server', until => sub { sent($gate) eq 'da' });
    $gate->half_close('server');
    $began = time;
    is(server_ends($gate), 'closed', "$mpm, ssl-accurate-shutdown: nor does it wait when the client's stream has ended");
    cmp_ok(time - $began, '<', 1 * slow(), '... but closes at once');
    $gate->close;

    ($gate, $tls) = behind_gate($httpd);
    forward($gate, $tls, request('/accurate', 'Connection: close'));
    $gate->pump(from => 'server', until => sub { sent($gate) eq 'da' });
    $began = time;
    server_ends($gate);
    my $took = time - $began;
    ok($took > 1.5 && $took < 2 + 1.5 * slow(), '... and two seconds at most for one that goes on silent') or diag $took;
    $gate->close;

    # Ends that nobody asked for.
    ($gate, $tls) = behind_gate($httpd);
    forward($gate, $tls, request('/'));
    is(server_ends($gate), 'closed', "$mpm: a kept connection ends at KeepAliveTimeout");
    is(sent($gate), 'da', '... with close_notify');
    $gate->close;

    ($gate, $tls) = behind_gate($httpd);
    forward($gate, $tls, request('/'));
    $gate->half_close('server');
    is(server_ends($gate), 'closed', "$mpm: a client that only sends on no more");
    like(sent($gate), qr/^da?$/, '... gets its answer');
    $gate->close;

    spew("@{[$httpd->root]}/work/go", '');
    unlink "@{[$httpd->root]}/work/go";
    system('mkfifo', '-m', '666', "@{[$httpd->root]}/work/go") == 0 or die 'mkfifo';
    ($gate, $tls) = behind_gate($httpd);
    forward($gate, $tls, request("/cgi/count?@{[$httpd->root]}/work/go"));
    $gate->half_close('server');
    open my $go, '>', "@{[$httpd->root]}/work/go" or die "fifo: $!";    # waits for the program to be there
    close $go;
    is(server_ends($gate), 'closed', "$mpm: ... also one that takes its time");
    like(sent($gate), qr/^d+a?$/, '... which it gets whole');
    $gate->pump(from => 'server');
    ok($tls->read_until(qr/got 0, missing 0\n/), '... which the client can read');
    $gate->close;

    # s_client sends close_notify when its input ends.
    $gate = SL::Between->new(port => $httpd->port('https'), keep_open => 1);
    my $input = spew("@{[$httpd->root]}/work/input", request('/'));
    my $client = SL::Client->new(port => $gate->port);
    my $pid = SL::Command::start($client->s_client_command('one.test', {}), stdin => $input, stdout => '/dev/null', stderr => '/dev/null');
    $gate->join->pump(until => sub { $gate->ended('server') });
    like(sent($gate), qr/^da?$/, "$mpm: a client that sends close_notify behind its request gets its answer");
    SL::Command::stop_process($pid);
    $gate->close;

    for my $cut (['in the request line', "GET / HT", ''], ['in the head', "GET / HTTP/1.1\r\nHost: one", ''],
        ['in the body', "POST /cgi/count HTTP/1.1\r\nHost: one.test\r\nContent-Length: 100\r\n\r\n0123456789", '']) {
        ($gate, $tls) = behind_gate($httpd);
        forward($gate, $tls, $cut->[1]);
        $gate->half_close('server');
        is(server_ends($gate), 'closed', "$mpm: a request that is cut $cut->[0]: the connection ends");
        $gate->pump(from => 'server');
        $tls->ended(0.1);
        unlike($tls->pending, qr/ 200 OK|missing/, '... and nothing is done');
        $gate->close;
    }

    # Resets at every stage.
    my $raw = SL::Client->new(port => $httpd->port('https'))->raw;
    $raw->reset;
    for my $length (20, length $hello) {
        $raw = SL::Client->new(port => $httpd->port('https'))->raw;
        $raw->send(substr $hello, 0, $length);
        $raw->read_bytes(1) if $length == length $hello;
        $raw->reset;
    }
    ok($httpd->wait_for_log(qr/\(peer-closed\).*name asked for one\.test.*closed the connection/), "$mpm: a reset in the handshake is told");
    for my $stage ('', "GET / HT", request('/large'), request('/accurate', 'Connection: close')) {
        ($gate, $tls) = behind_gate($httpd);
        forward($gate, $tls, $stage) if length $stage;
        $gate->pump(from => 'server', until => sub { sent($gate) =~ /d/ }) if $stage =~ /\r\n\r\n/;
        $gate->reset('server');
        $gate->close;
    }
    is(SL::Client->new(port => $httpd->port('https'))->curl('https://one.test/')->{code}, 200, '... others are served on');
    $httpd->stop;
}

# Event: who shook hands and asks for nothing is sent off in order too.
{
    my $httpd = start('event', 'Timeout 1');
    my ($gate, $tls) = behind_gate($httpd);
    is(server_ends($gate), 'closed', 'a client that never asks is let go');
    is(sent($gate), 'a', '... with close_notify');
    $gate->close;
    $httpd->stop;
}
done_testing;
